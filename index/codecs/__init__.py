"""Vectors as fewer bytes, and in fewer dimensions."""

from .kinds import fit_codec, load_codec
from .protocol import Codec

__all__ = ["Codec", "fit_codec", "load_codec"]
