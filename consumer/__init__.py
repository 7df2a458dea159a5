"""Loading a topic into its warehouse exactly once, and proving it.

Open ``load.py`` first: its main function is the load protocol. ``warehouse.py`` is the file that it loads into.
"""

from consumer.limit import Limit, LimitBroken
from consumer.load import load
from consumer.progress import LoadProgress, LoadResult
from consumer.warehouse import Warehouse, open_warehouse

__all__ = ["Limit", "LimitBroken", "LoadProgress", "LoadResult", "Warehouse", "load", "open_warehouse"]
