"""Chooses the passages that a generator reads, within a token budget."""

from .building import Context, build_context

__all__ = ["Context", "build_context"]
