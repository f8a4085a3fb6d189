"""Registers the built-in kinds of backgrounds, by importing the modules that define them.

Help texts and errors list the kinds in the order of these imports.
"""

from __future__ import annotations

from . import language_model
from . import clustered
from . import fake
