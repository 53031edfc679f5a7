"""The dialects models speak, both directions: bytes to nouns and back. Sans-I/O: nothing here opens a socket."""
