"""Local models: pulled, started, stopped."""
