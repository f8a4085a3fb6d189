"""Language models: from a name to weights on this machine, and their identity."""

from .digest import weights_digest
from .weights import WHEELS, Wheel, downloads_allowed, find_weights

__all__ = ["WHEELS", "Wheel", "downloads_allowed", "find_weights", "weights_digest"]
