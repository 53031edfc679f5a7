"""Virtual keys: held in memory, what they may read, what they were used for."""
