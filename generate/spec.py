"""Parser of the specs of generators, rewriters and backgrounds: `hyde`, `language-model:MODEL`.

    SPEC = KIND[:MODEL]

KIND is a kind of the family. MODEL is the name or folder of a language model, for kinds that use
one. All other options have their defaults. To set other options, use a TOML file; see
`GeneratorRegistry.read`.
"""

from __future__ import annotations

from typing import Any, TypeVar

from ..core import Config, ConfigError
from ..core.kinds import Kinds

C = TypeVar("C", bound=Config)


def usages(kinds: Kinds[Any]) -> tuple[str, ...]:
    """Return the forms of a spec, such as `language-model[:MODEL]`, for help and errors.

    A kind with a required field has no form, because a spec cannot set the field.
    """
    return tuple(
        f"{kind.replace('_', '-')}{'[:MODEL]' if 'llm' in config.model_fields else ''}"
        for kind, config in kinds.classes().items()
        if not any(field.is_required() for field in config.model_fields.values())
    )


def parse_spec(text: str, kinds: Kinds[C]) -> C:
    """Return the configuration that a spec, `KIND[:MODEL]`, describes.

    kinds: the family, such as GENERATORS.

    >>> from twindex.generate import GENERATORS
    >>> parse_spec("language-model:SmolLM2-135M-Instruct", GENERATORS).kind
    'language_model'

    Raises ConfigError for an invalid spec; the message lists the valid forms.
    """
    word, colon, model = text.partition(":")
    known = {kind.replace("_", "-"): kind for kind in kinds.classes()}
    if word not in known:
        raise ConfigError(
            f"{text!r}: unknown kind of {kinds.noun} {word!r}; known: {', '.join(usages(kinds))}"
        )
    fields: dict[str, Any] = {"kind": known[word]}
    if colon:
        if not model or "llm" not in kinds[known[word]].model_fields:
            raise ConfigError(f"{text!r} is invalid; write one of {', '.join(usages(kinds))}")
        fields["llm"] = {"model": model}
    try:
        return kinds.parse(fields)
    except ConfigError as error:
        raise ConfigError(f"{text!r}: {error}; set it in a TOML file") from None
