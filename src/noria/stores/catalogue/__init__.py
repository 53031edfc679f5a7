"""The catalogue: prompts, apps, models, data sets, experiments and monitors, on SQLite or PostgreSQL."""

from noria.stores.catalogue.catalogue import Catalogue

__all__ = ["Catalogue"]
