"""A reranker in one word, as the command line takes it: `leg:late@100+pairwise:NAME@10`.

    SPEC  = STAGE [+ STAGE ...]
    STAGE = KIND[:MODEL][@CANDIDATES]

MODEL is what the kind is made of: a folder, a model's name or the name of a leg. Everything else
has its default; a TOML file of rerankers (`RerankerRegistry.read`) sets all options.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..core import ConfigError
from .config import ChainConfig, RerankerConfig, Rerankers

_MODEL = ("llm", "model")


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a word stands for.

    argument: path of the field that MODEL sets; () = there is no such field.
    stands:   for MODEL in help and errors. required: it has no default.
    """

    fields: Mapping[str, Any]
    argument: tuple[str, ...] = ()
    stands: str = "MODEL"
    required: bool = field(default=False, kw_only=True)

    def usage(self, word: str) -> str:
        if not self.argument:
            return word
        return f"{word}:{self.stands}" if self.required else f"{word}[:{self.stands}]"


_KINDS = {
    "cross-encoder": _Kind({"kind": "cross_encoder"}, ("model",), "FOLDER", required=True),
    "leg": _Kind({"kind": "leg"}, ("leg",), "NAME", required=True),
    "late": _Kind({"kind": "late"}, ("model",)),
    "tilde": _Kind({"kind": "tilde"}, ("model",)),
    "pointwise": _Kind({"kind": "pointwise"}, _MODEL),
    "pairwise": _Kind({"kind": "pairwise"}, _MODEL),
    "pairwise-allpair": _Kind({"kind": "pairwise", "method": "allpair"}, _MODEL),
    "pairwise-sorting": _Kind({"kind": "pairwise", "method": "sorting"}, _MODEL),
    "pairwise-sliding": _Kind({"kind": "pairwise", "method": "sliding"}, _MODEL),
    "listwise": _Kind({"kind": "listwise"}, _MODEL),
    "criteria": _Kind({"kind": "criteria"}, _MODEL),
    "criteria-two-turn": _Kind({"kind": "criteria", "turns": 2}, _MODEL),
    "intra-document": _Kind(
        {"kind": "intra_document", "slow": {"kind": "cross_encoder"}},
        ("slow", "model"),
        "FOLDER",
        required=True,
    ),
    "mmr": _Kind({"kind": "mmr"}, ("leg",), "LEG"),
    "fake": _Kind({"kind": "fake"}),
}

KINDS = tuple(kind.usage(word) for word, kind in _KINDS.items())
"""What a stage may be, for help and errors."""


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
        assert not isinstance(reranker, ChainConfig)
        chain.append({"reranker": reranker, "candidates": reranker.candidates})
    return _validated({"kind": "chain", "stages": chain}, text)


def _stage(stage: str, text: str) -> dict[str, Any]:
    """The fields of one stage."""
    match = re.fullmatch(r"([^:@]*)(?::(.*?))?(?:@([0-9]+))?", stage)
    word, model, candidates = match.groups() if match else (stage, None, None)
    kind = _KINDS.get(word)
    if match is None or kind is None:
        message = f"{text!r}: {word!r} is no kind of reranker; there are {', '.join(KINDS)}"
        raise ConfigError(message)
    if model == "" or (model is None and kind.required) or (model and not kind.argument):
        raise ConfigError(f"{text!r}: write it as {kind.usage(word)}")
    fields: dict[str, Any] = dict(kind.fields)
    if model is not None:
        _set(fields, kind.argument, model)
    if candidates is not None:
        fields["candidates"] = int(candidates)
    return fields


def _set(fields: dict[str, Any], path: tuple[str, ...], value: str) -> None:
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
