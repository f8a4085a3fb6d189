"""Importing this module registers the built-in kinds of vector index."""

from __future__ import annotations

from .flat import config as flat
from .ivf import config as ivf
from .graph import config as graph
from .scann import config as scann
from .spann import config as spann
