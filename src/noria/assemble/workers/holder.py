"""Who holds a data folder, and the key that lies in it: for programs that talk to the holder instead of opening it."""

from noria.stores.folder import Holder, holder_of, killed_holder_of, stored_key

__all__ = ["Holder", "holder_of", "killed_holder_of", "stored_key"]
