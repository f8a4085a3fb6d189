"""Importing this module registers the built-in kinds of codec and projection."""

from __future__ import annotations

from . import config as config
