"""Kinds: configuration classes that the field `kind` selects by name."""

from .one_of import OneOf
from .parts import PartConfig, load_part, on_device
from .registry import Kinds, families, named, register

__all__ = [
    "Kinds",
    "OneOf",
    "PartConfig",
    "families",
    "load_part",
    "named",
    "on_device",
    "register",
]
