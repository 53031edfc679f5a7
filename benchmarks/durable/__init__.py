"""What the measurements of durability share: OTLP batches, a server that can be killed, a ledger of what it said."""
