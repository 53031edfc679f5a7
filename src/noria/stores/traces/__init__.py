"""Where spans and scores live.

schema   columns, and what a name in a question means
plan     a question, checked
rows     records to JSON lines and back
memory   a store of plain Python lists: the fake that obeys the same contract
duckdb   the store of one process: spool, background intake, DuckDB file (tables, compile, intake are its parts)
"""
