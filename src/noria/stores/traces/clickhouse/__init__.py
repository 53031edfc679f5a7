"""Traces in ClickHouse: the store that several processes share.

address      the URL of a store
connection   clients, one a thread, and what ClickHouse's errors mean
lines        records to JSON lines
tables       its tables, on one server or on a cluster, and their versions
literals     values in statements
compile      a checked question as ClickHouse SQL
inserts      appends that arrive together become one insert
arrivals     the order in which spans came, and cursors in it
erasure      deleting and stripping
store        the :class:`~noria.core.protocols.TraceStore` made of these
"""
