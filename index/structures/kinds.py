"""The kinds of vector index that come with Twindex, a line each."""

from __future__ import annotations

from ..codecs import kinds as kinds  # What they hold vectors in.
from .flat.config import FlatConfig
from .graph.config import HnswConfig
from .ivf.config import IvfConfig
from .protocol import STRUCTURES
from .scann.config import ScannConfig
from .spann.config import SpannConfig

STRUCTURES.register(FlatConfig)
STRUCTURES.register(IvfConfig)
STRUCTURES.register(HnswConfig)
STRUCTURES.register(ScannConfig)
STRUCTURES.register(SpannConfig)
