"""The prompts of a sentence-transformers model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..core import Role
from .dense.config import DenseEncoderConfig
from .late.config import LateEncoderConfig


def prescribed_prompts(
    model: Any, config: DenseEncoderConfig | LateEncoderConfig
) -> dict[Role, str]:
    """What is put before texts: as configured, else as the model itself says, else nothing."""
    return {
        "query": _prompt(config.query_prompt, model, ("query",)),
        "document": _prompt(config.document_prompt, model, ("document", "passage", "corpus")),
    }


def _prompt(given: str | None, model: Any, names: Sequence[str]) -> str:
    """The prompt that was asked for, else the first of `names` among the model's own, else none."""
    if given is not None:
        return given
    own: Mapping[str, str | None] = getattr(model, "prompts", None) or {}
    return next((prompt for name in names if (prompt := own.get(name))), "")
