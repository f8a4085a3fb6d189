"""The kinds of vector index that come with Twindex, a line each: who is imported is registered."""

from __future__ import annotations

from .flat import config as flat
from .graph import config as graph
from .ivf import config as ivf
from .scann import config as scann
from .spann import config as spann
