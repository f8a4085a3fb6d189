"""The flags that make a configuration: each is one field of it."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

from ....core import Config, ConfigError
from ....encoders import (
    AnalyzerConfig,
    DenseEncoderConfig,
    LateEncoderConfig,
    PromptRepsEncoderConfig,
    SparseEncoderConfig,
    TildeEncoderConfig,
)
from ....index import CODECS, DEFAULT_RECALL, PROJECTIONS, CollectionConfig, VectorStorage
from ....index.dense.config import scalar_codecs
from ....index.structures.protocol import STRUCTURES

ENCODERS: dict[str, type[Config]] = {
    "dense": DenseEncoderConfig,
    "sparse": SparseEncoderConfig,
    "analyzer": AnalyzerConfig,
    "promptreps": PromptRepsEncoderConfig,
    "late": LateEncoderConfig,
    "tilde": TildeEncoderConfig,
}
"""Kind of encoder -> its fields."""


def _values(kind: str, field: str) -> tuple[str, ...]:
    """What a field of an encoder may be."""
    return get_args(ENCODERS[kind].model_fields[field].annotation)


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag, and the field that it sets.

    legs: those that have the field, () = it is of the whole. A field of encoders, which begins with
    `ENCODER`, is set in every leg whose encoder has it.
    null: the word that stands for nothing there. default: in words, where it is not a value.
    """

    name: str
    field: tuple[str, ...]
    help: str
    legs: tuple[str, ...] = ()
    type: Callable[[str], Any] = str
    metavar: str | None = "N"
    choices: tuple[str, ...] | None = None
    null: str | None = None
    default: str | None = None

    @property
    def attribute(self) -> str:
        return self.name.removeprefix("--").replace("-", "_")

    @property
    def encoders(self) -> list[str]:
        """Kinds of encoder that have the field."""
        if self.field[0] != ENCODER:
            return []
        return [kind for kind, config in ENCODERS.items() if self.field[1] in config.model_fields]

    def set(self, target: dict[str, Any], given: Any) -> None:
        """Put what was given into a part of a configuration that has the field."""
        *path, last = self.field
        if given == self.null:
            target[self.field[0]] = None
            return
        for name in path:
            if target.get(name) is None:
                target[name] = {}
            target = target[name]
        if last == "kind" and target.get("kind") != given:
            target.clear()  # another kind has other fields
        target[last] = given


class RecallFlag(Flag):
    """The recall of an index, instead of the parameter of its search."""

    def set(self, target: dict[str, Any], given: Any) -> None:
        """See Flag. Raises ConfigError where there is no recall to reach."""
        index = target["index"]
        if index["kind"] == "flat":
            message = "the index flat compares every vector; choose another with --index"
            raise ConfigError(message, field=self.name)
        index.update({name: None for name in ("nprobe", "ef_search") if name in index})
        super().set(target, given)


def parse_projection(text: str) -> dict[str, Any] | str:
    """`pca:0.5` (a share of the dimensions), `matryoshka:256` (so many), or `none`."""
    kind, _, amount = text.partition(":")
    kinds = tuple(PROJECTIONS)
    if text == "none":
        return text
    if kind not in kinds or not re.fullmatch(r"\d+|\d*\.\d+|1\.", amount):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not KIND:SHARE, as in pca:0.5, nor KIND:DIMENSIONS, as in pca:192; "
            f"kinds: {', '.join(kinds)}"
        )
    return {
        "kind": kind,
        **({"share": float(amount)} if "." in amount else {"dimensions": int(amount)}),
    }


CODECS_KNOWN = tuple(CODECS)

STORAGE = (
    Flag("--index", ("index", "kind"), "which vectors are looked at: all (flat), lists (ivf), a "
         "graph (hnsw), a tree (scann), lists on disk (spann)", ("dense",), str, None,
         tuple(STRUCTURES)),
    Flag("--codec", ("codec", "kind"), "how the index holds vectors; auto is the usual one of the "
         "index", ("dense",), str, None, ("auto", *CODECS_KNOWN), null="auto", default="auto"),
    Flag("--projection", ("projection",), "fewer dimensions for the index: pca, random or "
         "matryoshka, with the share that is kept (pca:0.5) or their number (pca:192); or none",
         ("dense",), parse_projection, "KIND:N", null="none", default="none"),
    Flag("--originals", ("originals",), "vectors kept beside the index for rescoring; none cannot "
         "be undone", ("dense",), str, None,
         get_args(VectorStorage.model_fields["originals"].annotation)),
    RecallFlag("--recall", ("index", "recall"), "share of the true nearest that the index finds",
               ("dense",), float, "X", default=str(DEFAULT_RECALL)),
)  # fmt: skip
"""How the vectors of a dense leg are stored."""

ENCODER = "encoder"
FLAGS = (
    Flag("--variant", (ENCODER, "variant"), "PromptReps: how a text is read; multi_* give it "
         "several vectors", (), str, None, _values("promptreps", "variant")),
    Flag("--prompt-style", (ENCODER, "style"), "PromptReps: wording of the prompt, of chat "
         "templates or literally that of the published code", (), str, None,
         _values("promptreps", "style")),
    Flag("--template", (ENCODER, "template"), "PromptReps: markup of the conversation; auto is the "
         "model's own", (), str, None, _values("promptreps", "template")),
    Flag("--layer", (ENCODER, "layer"), "PromptReps: whose state is the dense vector, counted from "
         "the last (-1)", (), int),
    Flag("--center", (ENCODER, "center"), "PromptReps: subtract from dense vectors that of the "
         "prompt without a text", (), bool),
    Flag("--expansion", (ENCODER, "expansion"), "PromptReps and TILDEv2: heaviest terms added from "
         "outside the text", (), int),
    Flag("--expansion-model", (ENCODER, "expansion_model"), "TILDEv2: the model that adds them",
         (), str, "NAME", default="the one that weighs"),
    Flag("--language", (ENCODER, "language"), "of the texts, for stems and stopwords: ISO 639-1 "
         "code, or none for bare words", (), str, "CODE"),
    Flag("--precision", (ENCODER, "precision"), "arithmetic of models; int8 is for PromptReps on "
         "processors only", (), str, None, _values("promptreps", "precision")),
    Flag("--k1", ("k1",), "BM25: saturation of term frequency", ("lexical",), float, "X"),
    Flag("--b", ("b",), "BM25: normalisation by length", ("lexical",), float, "X"),
    *STORAGE,
    Flag("--late-codec", ("codec", "kind"), "how token vectors are held", ("late",), str, None,
         scalar_codecs(), default="int4"),
    Flag("--late-projection", ("projection",), "fewer dimensions for token vectors, as for "
         "--projection", ("late",), parse_projection, "KIND:N", null="none", default="none"),
    Flag("--pooling", (ENCODER, "pooling"), "late interaction: tokens of a passage for each vector "
         "that is kept", (), float, "X"),
    Flag("--query-length", (ENCODER, "query_length"), "late interaction: tokens read of a query",
         (), int, default="the model's limit"),
    Flag("--document-length", (ENCODER, "document_length"), "late interaction: tokens read of a "
         "passage", (), int, default="the model's limit"),
    Flag("--query-prompt", (ENCODER, "query_prompt"), "text put before a query", (), str, "TEXT"),
    Flag("--document-prompt", (ENCODER, "document_prompt"), "text put before a document",
         (), str, "TEXT"),
    Flag("--max-length", (ENCODER, "max_length"), "tokens that models read of a text", (), int),
    Flag("--top-terms", (ENCODER, "top_terms"), "heaviest terms kept of a document", (), int),
    Flag("--passages", ("passages", "unit"), "how long documents are cut; tokens: whole sentences, "
         "as many as every encoder reads", (), str, None,
         ("tokens", "words", "sentences", "none")),
    Flag("--passage-size", ("passages", "size"), "tokens (or words) in a passage", (), int,
         default="all that the encoders read, at most 512; 200 words"),
    Flag("--passage-overlap", ("passages", "overlap"),
         "tokens (or words) shared by neighbours", (), int, default="32 tokens, 40 words"),
    Flag("--passage-threshold", ("passages", "threshold"),
         "with words or sentences: documents of at most this many words stay whole", (), int,
         default="512"),
)  # fmt: skip


def add_flags(
    group: argparse._ActionsContainer, flags: tuple[Flag, ...], *, defaults: bool = True
) -> None:
    """The flags; `defaults`: with those of CollectionConfig in their help."""
    for flag in flags:
        text = f"{flag.help} (default: {_default(flag)})" if defaults else flag.help
        if flag.type is bool:
            action = argparse.BooleanOptionalAction
            group.add_argument(flag.name, action=action, default=None, help=text)
        else:
            kind: Any = {"type": flag.type, "metavar": flag.metavar, "choices": flag.choices}
            group.add_argument(flag.name, help=text, **kind)


def _default(flag: Flag) -> str:
    """The default of a flag's field, for its help; of each kind of encoder where they differ."""
    if flag.default is not None:
        return flag.default
    if not flag.encoders:
        config = CollectionConfig()
        return str(field_of(config.legs[flag.legs[0]] if flag.legs else config, flag.field))
    absent = {"max_length": "the model's limit", "top_terms": "all"}
    values = [field_of(ENCODERS[kind](), flag.field[1:]) for kind in flag.encoders]
    first, *others = (
        absent.get(flag.field[-1], "what the model prescribes") if value is None else str(value)
        for value in values
    )
    differing = [f"{k} {v}" for k, v in zip(flag.encoders[1:], others, strict=True) if v != first]
    return ", ".join([first, *differing])


def field_of(config: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        config = getattr(config, name)
    return config
