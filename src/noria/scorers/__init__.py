"""The judgements: what an answer is worth, offline, live and inline, one idea a file."""
