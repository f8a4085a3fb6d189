"""Vectors as fewer bytes, and in fewer dimensions."""

from . import kinds as kinds
from .protocol import Codec

__all__ = ["Codec"]
