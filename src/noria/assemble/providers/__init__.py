"""Providers: their dialects, keys, prices and models, and whether they are well."""
