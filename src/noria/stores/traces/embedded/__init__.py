"""The parts of the embedded store, see :mod:`noria.stores.traces.duckdb`.

database  the DuckDB file and the memory beside it: opened, confined, migrated
recent    what has come and is not in the file yet: tables in memory
gathering from the spools of workers into the spool
intake    from the spool into the recent tables
settle    from the recent tables into the file, a row group at a time
upkeep    when all of this is done, without being asked for
reading   one moment of all of it, for one question
keys      where the spans of a trace are
blocks    which times and which words are in every thousand spans
newest    the newest rows that match, without looking at the others
erase     deleting so that nothing is left in the files
"""
