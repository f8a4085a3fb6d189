"""Parser of generator specs on the command line: `extractive`, or `language-model:MODEL`.

    SPEC = KIND[:MODEL]

KIND is a kind of generator. MODEL is the name or folder of a language model, for kinds that use a
language model. All other options have their defaults. To set other options, use a TOML file
(`GeneratorRegistry.read`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core import ConfigError
from .config import GENERATORS, GeneratorConfig, Generators


def usages() -> tuple[str, ...]:
    """Return the forms of a spec, such as `language-model[:MODEL]`, for help and errors."""
    return tuple(
        f"{kind.replace('_', '-')}{'[:MODEL]' if 'llm' in config.model_fields else ''}"
        for kind, config in GENERATORS.classes().items()
    )


def parse_spec(text: str) -> GeneratorConfig:
    """Return the generator configuration that a spec, `KIND[:MODEL]`, describes.

    >>> parse_spec("language-model:SmolLM2-135M-Instruct").kind
    'language_model'

    Raises ConfigError, whose message lists the valid forms, for an invalid spec.
    """
    word, colon, model = text.partition(":")
    kinds = {kind.replace("_", "-"): kind for kind in GENERATORS.classes()}
    if word not in kinds:
        message = f"{text!r}: unknown kind of generator {word!r}; known: {', '.join(usages())}"
        raise ConfigError(message)
    fields: Mapping[str, Any] = {"kind": kinds[word]}
    if colon:
        if not model or "llm" not in GENERATORS.classes()[kinds[word]].model_fields:
            raise ConfigError(f"{text!r} is invalid; write one of {', '.join(usages())}")
        fields = {**fields, "llm": {"model": model}}
    return Generators.parse({"generators": {"it": fields}}).generators["it"]
