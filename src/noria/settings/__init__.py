"""Everything configurable, parsed once into a frozen object and passed down.

Sources, later ones win: the defaults here, ``noria.toml`` (in the working directory, or where ``NORIA_CONFIG`` says),
``NORIA_*`` environment variables, command-line flags. Every field of :class:`Settings` is a key of the file, and
``NORIA_`` with its name in capitals is its environment variable; tables and lists are given there as JSON.

    settings.py    Settings: what can be configured
    providers.py   Provider: servers of models, and those that are known
    checks.py      what is wrong with them that no type says
    reading.py     from a file, the environment and the command line
"""

from noria.settings.providers import BUILT_IN_PROVIDERS, KINDS, Extension, Provider
from noria.settings.reading import load_address, load_settings
from noria.settings.settings import OTHER_VARIABLES, VARIABLES, Secret, Settings

__all__ = [
    "BUILT_IN_PROVIDERS",
    "KINDS",
    "OTHER_VARIABLES",
    "VARIABLES",
    "Extension",
    "Provider",
    "Secret",
    "Settings",
    "load_address",
    "load_settings",
]
