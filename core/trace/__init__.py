"""Limits of a request, the times of its stages, and its spans in a distributed trace."""

from .stages import UNGUARDED, Guard, Trace, checkpoint, late

__all__ = ["UNGUARDED", "Guard", "Trace", "checkpoint", "late"]
