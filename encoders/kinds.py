"""Imports the encoder kinds that come with Twindex. Importing a kind registers it."""

from __future__ import annotations

from .dense import config as dense
from .sparse import config as sparse
from .lexical import config as lexical
from .promptreps import config as promptreps
from .late import config as late
from .tilde import config as tilde
from .external import config as external
from .pair import config as pair
