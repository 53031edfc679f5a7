"""Where records live: the data folder, the catalogue, blobs, and traces behind a spool."""
