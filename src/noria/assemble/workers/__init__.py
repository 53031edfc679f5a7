"""Several processes on one data folder: its holder, and the workers that answer calls beside it."""
