"""Registers the built-in kinds of generators, by importing the modules that define them.

Help texts and errors list the kinds in the order of these imports.
"""

from __future__ import annotations

from .background import kinds as background_kinds
from .writers import extractive
from .writers import language_model
from . import fake
