"""A reranker in one word, as the command line takes it: `leg:late@100+pairwise:NAME@10`.

    SPEC  = STAGE [+ STAGE ...]
    STAGE = KIND[:MODEL][@CANDIDATES]

MODEL is what the kind is made of: a folder, a model's name or the name of a leg. Everything else
has its default; a TOML file of rerankers (`RerankerRegistry.read`) sets all options.
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
    """A word, the kind that it stands for, and the fields that it sets."""

    word: str
    config: type[RerankerConfig]
    fields: Mapping[str, Any]

    @property
    def argument(self) -> list[str]:
        """Path of the field that MODEL sets; [] = there is none."""
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
    """Of all kinds; of two that have the same word, the one that was registered first has it."""
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
    """Warn, once, that a kind has no such word, because another had it first."""
    logger.warning(
        "the reranker %r is not named %r in a spec: the reranker %r has that word already",
        kind,
        word,
        first,
    )


def usages() -> tuple[str, ...]:
    """What a stage may be, for help and errors: `late[:MODEL]` and so on."""
    return tuple(word.usage for word in _words().values())


def parse_spec(text: str) -> RerankerConfig:
    """The configuration that a spec stands for.

    >>> parse_spec("leg:late@50").candidates
    50

    A stage after the first must say how many hits it gets. Raises ConfigError for what is not a
    spec, with the known kinds.
    """
    stages = [_stage(stage, text) for stage in text.split("+")]
    if len(stages) == 1:
        return _validated(stages[0], text)
    for stage, given in zip(stages[1:], text.split("+")[1:], strict=True):
        if "candidates" not in stage:
            message = f"{text!r}: say how many hits {given!r} gets, as in {given}@10"
            raise ConfigError(message)
    chain = []
    for stage in stages:
        reranker = _validated(stage, text)
        chain.append({"reranker": reranker, "candidates": reranker.candidates})
    return _validated({"kind": "chain", "stages": chain}, text)


def _stage(stage: str, text: str) -> dict[str, Any]:
    """The fields of one stage."""
    match = re.fullmatch(r"([^:@]*)(?::(.*?))?(?:@([0-9]+))?", stage)
    word, model, candidates = match.groups() if match else (stage, None, None)
    known = _words().get(word)
    if match is None or known is None:
        message = f"{text!r}: {word!r} is no kind of reranker; there are {', '.join(usages())}"
        raise ConfigError(message)
    if model == "" or (model is None and known.required) or (model and not known.argument):
        raise ConfigError(f"{text!r}: write it as {known.usage}")
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
