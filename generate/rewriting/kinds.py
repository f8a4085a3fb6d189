"""Registers the built-in kinds of rewriters, by importing the modules that define them.

Help texts and errors list the kinds in the order of these imports.
"""

from __future__ import annotations

from . import hyde
from . import query2doc
from . import queries
from . import decompose
from . import step_back
from . import standalone
from . import fake
