"""Codecs store vectors in fewer bytes; projections reduce the number of dimensions."""

from . import kinds as kinds
from .protocol import Codec

__all__ = ["Codec"]
