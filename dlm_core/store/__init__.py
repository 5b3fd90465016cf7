"""Where everything a document has been trained into is kept, safe from crashes, full disks and other processes."""

from .atomic import StoreError
from .generations import DamagedStoreError
from .licences import accept, is_accepted
from .runs import Runs
from .store import Interrupted, Store, Version, open_store
from .writer import Kept, Run, Writer

__all__ = [
    "DamagedStoreError",
    "Interrupted",
    "Kept",
    "Run",
    "Runs",
    "Store",
    "StoreError",
    "Version",
    "Writer",
    "accept",
    "is_accepted",
    "open_store",
]
