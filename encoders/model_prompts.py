"""The prompts of a sentence-transformers model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..core import Role
from .dense.config import DenseEncoderConfig
from .late.config import LateEncoderConfig


def model_prompts(model: Any, config: DenseEncoderConfig | LateEncoderConfig) -> dict[Role, str]:
    """Return role -> the prompt that is put before texts of this role.

    This is the configured prompt if there is one, else the model's own prompt, else "".
    """
    return {
        "query": _prompt(config.query_prompt, model, ("query",)),
        "document": _prompt(config.document_prompt, model, ("document", "passage", "corpus")),
    }


def _prompt(given: str | None, model: Any, names: Sequence[str]) -> str:
    """Return `given` (the configured prompt) unless it is None, else the model's own prompt.

    names: names that the model may use for its own prompt, in order of preference. If the model has
           no prompt with one of these names, the result is "".
    """
    if given is not None:
        return given
    own: Mapping[str, str | None] = getattr(model, "prompts", None) or {}
    return next((prompt for name in names if (prompt := own.get(name))), "")
