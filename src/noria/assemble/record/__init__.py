"""The record: taken in, looked through, sent on, kept as long as it should be."""
