"""The kinds of encoder that come with Twindex, a line each: who is imported is registered."""

from __future__ import annotations

from .dense import config as dense
from .late import config as late
from .lexical import config as lexical
from .promptreps import config as promptreps
from .sparse import config as sparse
from .tilde import config as tilde
