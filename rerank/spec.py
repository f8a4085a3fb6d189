"""Parser of reranker specs on the command line, such as `leg:late@100+pairwise:NAME@10`.

    SPEC  = STAGE [+ STAGE ...]
    STAGE = KIND[:MODEL][@CANDIDATES]

The stages form a chain. KIND is a kind of reranker. MODEL is a folder, the name of a model or the
name of a leg, depending on the kind. CANDIDATES is the number of hits to rerank. All other options
have their defaults. To set them, use a TOML file (`RerankerRegistry.read`).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from ..core import ConfigError
from .config import RERANKERS, RerankerConfig, Rerankers

logger = logging.getLogger(__name__)


class _Word(NamedTuple):
    """A word that names a kind of reranker in a spec.

    config: configuration class of the kind.
    fields: fields of the configuration that the word sets.
    """

    word: str
    config: type[RerankerConfig]
    fields: Mapping[str, Any]

    @property
    def argument(self) -> list[str]:
        """Return the path of the field that MODEL (after the colon) sets; [] if there is none."""
        path = self.config.shorthand.argument.split(".")
        return path if path[0] in self.config.model_fields else []

    @property
    def required(self) -> bool:
        return bool(self.argument) and self.config.model_fields[self.argument[0]].is_required()

    @property
    def usage(self) -> str:
        if not self.argument:
            return self.word
        shown = f":{self.config.shorthand.shown}"
        return f"{self.word}{shown if self.required else f'[{shown}]'}"


def _words() -> dict[str, _Word]:
    """Return word -> `_Word`, for all words that name a kind of reranker in a spec.

    If several kinds have the same word, it names the kind that was registered first.
    """
    found: dict[str, _Word] = {}
    for kind, config in RERANKERS.classes().items():
        words = config.shorthand.words
        for word, fields in ({kind.replace("_", "-"): {}} if words is None else words).items():
            first = found.setdefault(word, _Word(word, config, {"kind": kind, **fields}))
            if first.config is not config:
                _warn_of_taken(word, kind, first.fields["kind"])
    return found


@cache
def _warn_of_taken(word: str, kind: str, first: str) -> None:
    """Log once that `word` in a spec names the kind `first`, so that it cannot name `kind`."""
    logger.warning(
        "a spec cannot name the reranker %r as %r: the reranker %r already uses this word",
        kind,
        word,
        first,
    )


def usages() -> tuple[str, ...]:
    """Return the forms of a stage in a spec, such as `late[:MODEL]`, for help and errors."""
    return tuple(word.usage for word in _words().values())


def parse_spec(text: str) -> RerankerConfig:
    """Return the reranker configuration that a spec describes.

    >>> parse_spec("leg:late@50").candidates
    50

    Every stage after the first requires @CANDIDATES. Raises ConfigError for an invalid spec. For an
    unknown kind, the error lists the known kinds.
    """
    stages = [_stage(stage, text) for stage in text.split("+")]
    if len(stages) == 1:
        return _validated(stages[0], text)
    for stage, given in zip(stages[1:], text.split("+")[1:], strict=True):
        if "candidates" not in stage:
            message = f"{text!r}: stage {given!r} has no number of hits; write it as {given}@10"
            raise ConfigError(message)
    chain = []
    for stage in stages:
        reranker = _validated(stage, text)
        chain.append({"reranker": reranker, "candidates": reranker.candidates})
    return _validated({"kind": "chain", "stages": chain}, text)


def _stage(stage: str, text: str) -> dict[str, Any]:
    """Return the configuration fields of the stage `stage` of the spec `text`.

    Raises ConfigError if the stage is invalid.
    """
    match = re.fullmatch(r"([^:@]*)(?::(.*?))?(?:@([0-9]+))?", stage)
    word, model, candidates = match.groups() if match else (stage, None, None)
    known = _words().get(word)
    if match is None or known is None:
        message = f"{text!r}: unknown kind of reranker {word!r}; known: {', '.join(usages())}"
        raise ConfigError(message)
    if model == "" or (model is None and known.required) or (model and not known.argument):
        raise ConfigError(f"{text!r}: stage {stage!r} is invalid; write it as {known.usage}")
    fields: dict[str, Any] = dict(known.fields)
    if model is not None:
        _set(fields, known.argument, model)
    if candidates is not None:
        fields["candidates"] = int(candidates)
    return fields


def _set(fields: dict[str, Any], path: list[str], value: str) -> None:
    *outer, last = path
    for name in outer:
        fields[name] = dict(fields.get(name, {}))
        fields = fields[name]
    fields[last] = value


def _validated(fields: Mapping[str, Any], text: str) -> RerankerConfig:
    try:
        return Rerankers.parse({"rerankers": {"it": fields}}).rerankers["it"]
    except ConfigError as error:
        where = (error.field or "").removeprefix("rerankers.it").removeprefix(".")
        raise ConfigError(f"{text!r}: {where}{': ' if where else ''}{error.message}") from None
