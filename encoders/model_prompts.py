"""The prompts of a sentence-transformers model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..core import Role
from .dense.config import DenseEncoderConfig
from .late.config import LateEncoderConfig


def model_prompts(model: Any, config: DenseEncoderConfig | LateEncoderConfig) -> dict[Role, str]:
    """Return the prompt before texts of each role.

    It is the configured prompt, else the model's own, else "".
    """
    return {
        "query": _prompt(config.query_prompt, model, ("query",)),
        "document": _prompt(config.document_prompt, model, ("document", "passage", "corpus")),
    }


def _prompt(given: str | None, model: Any, names: Sequence[str]) -> str:
    """Return the configured prompt, else the model's first prompt with one of `names`, else ""."""
    if given is not None:
        return given
    own: Mapping[str, str | None] = getattr(model, "prompts", None) or {}
    return next((prompt for name in names if (prompt := own.get(name))), "")
