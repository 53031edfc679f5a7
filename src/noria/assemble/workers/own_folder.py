"""Temporary folders of processes that share one port, for whoever starts them."""

from noria.stores.own_folder import OwnFolder, own_folder

__all__ = ["OwnFolder", "own_folder"]
