"""The nouns and protocols that every room speaks. Pure: no I/O, no clock, no environment, nothing else of Noria."""
