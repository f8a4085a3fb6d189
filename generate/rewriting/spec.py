"""Parser of rewriter specs on the command line: `hyde`, or `queries:MODEL`.

    SPEC = KIND[:MODEL]

KIND is a kind of rewriter. MODEL is the name or folder of a language model, for kinds that have
one. All other options have their defaults. To set them, use a TOML file (`RewriterRegistry.read`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...core import ConfigError
from .config import REWRITERS, RewriterConfig, Rewriters


def usages() -> tuple[str, ...]:
    """Return the forms of a spec, such as `step-back[:MODEL]`, for help and errors."""
    return tuple(
        f"{kind.replace('_', '-')}{'[:MODEL]' if 'llm' in config.model_fields else ''}"
        for kind, config in REWRITERS.classes().items()
    )


def parse_spec(text: str) -> RewriterConfig:
    """Return the rewriter configuration that a spec describes.

    >>> parse_spec("step-back:SmolLM2-135M-Instruct").kind
    'step_back'

    Raises ConfigError for an invalid spec. The error lists the known kinds.
    """
    word, colon, model = text.partition(":")
    kinds = {kind.replace("_", "-"): kind for kind in REWRITERS.classes()}
    if word not in kinds:
        message = f"{text!r}: unknown kind of rewriter {word!r}; known: {', '.join(usages())}"
        raise ConfigError(message)
    fields: Mapping[str, Any] = {"kind": kinds[word]}
    if colon:
        if not model or "llm" not in REWRITERS.classes()[kinds[word]].model_fields:
            raise ConfigError(f"{text!r} is invalid; write one of {', '.join(usages())}")
        fields = {**fields, "llm": {"model": model}}
    return Rewriters.parse({"rewriters": {"it": fields}}).rewriters["it"]
