"""Kept replies: one bounded table, in a file of the data folder or in the PostgreSQL database of several servers."""

from noria.stores.replies.kept import KeptReplies
from noria.stores.replies.table import there

__all__ = ["KeptReplies", "there"]
