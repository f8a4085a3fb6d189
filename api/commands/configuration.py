"""The flags of `build` that make a CollectionConfig: each is one field of it."""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from ...core import (
    AnalyzerConfig,
    CollectionConfig,
    Config,
    ConfigError,
    DenseEncoderConfig,
    PromptRepsEncoderConfig,
    SourceError,
    SparseEncoderConfig,
)

LEGS = ("dense", "sparse", "lexical")
"""The legs that have a flag of their own."""
ENCODERS: dict[str, type[Config]] = {
    "dense": DenseEncoderConfig,
    "sparse": SparseEncoderConfig,
    "analyzer": AnalyzerConfig,
    "promptreps": PromptRepsEncoderConfig,
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
    """

    name: str
    field: tuple[str, ...]
    help: str
    legs: tuple[str, ...] = ()
    type: Callable[[str], Any] = str
    metavar: str | None = "N"
    choices: tuple[str, ...] | None = None

    @property
    def attribute(self) -> str:
        return self.name.removeprefix("--").replace("-", "_")

    @property
    def encoders(self) -> list[str]:
        """Kinds of encoder that have the field."""
        if self.field[0] != ENCODER:
            return []
        return [kind for kind, config in ENCODERS.items() if self.field[1] in config.model_fields]


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
    Flag("--expansion", (ENCODER, "expansion"), "PromptReps: heaviest terms added from outside the "
         "text", (), int),
    Flag("--language", (ENCODER, "language"), "of the texts, for stems and stopwords: ISO 639-1 "
         "code, or none for bare words", (), str, "CODE"),
    Flag("--precision", (ENCODER, "precision"), "arithmetic of models; int8 is for PromptReps on "
         "processors only", (), str, None, _values("promptreps", "precision")),
    Flag("--k1", ("k1",), "BM25: saturation of term frequency", ("lexical",), float, "X"),
    Flag("--b", ("b",), "BM25: normalisation by length", ("lexical",), float, "X"),
    Flag("--index", ("index", "kind"), "flat is exact, hnsw a graph", ("dense",), str, None,
         ("flat", "hnsw")),
    Flag("--query-prompt", (ENCODER, "query_prompt"), "text put before a query", (), str, "TEXT"),
    Flag("--document-prompt", (ENCODER, "document_prompt"), "text put before a document",
         (), str, "TEXT"),
    Flag("--max-length", (ENCODER, "max_length"), "tokens that models read of a text", (), int),
    Flag("--top-terms", (ENCODER, "top_terms"), "heaviest terms kept of a document", (), int),
    Flag("--passages", ("passages", "unit"), "how long documents are cut", (), str, None,
         ("words", "sentences", "none")),
    Flag("--passage-size", ("passages", "size"), "words in a passage", (), int),
    Flag("--passage-overlap", ("passages", "overlap"), "words shared by neighbours", (), int),
    Flag("--passage-threshold", ("passages", "threshold"),
         "documents of at most this many words stay whole", (), int),
)  # fmt: skip

MODELS = {"dense": "sentence-transformers model", "sparse": "SPLADE model"}


def add_legs(parser: argparse._ActionsContainer) -> None:
    """`--dense` and `--sparse`."""
    for leg, what in MODELS.items():
        default = _field(CollectionConfig().legs[leg], (ENCODER, "model"))
        parser.add_argument(
            f"--{leg}",
            metavar="NAME",
            help=f"{what}: a name or a folder, or none for no such leg (default: {default})",
        )


def add_configuration(parser: argparse.ArgumentParser) -> None:
    """All flags, with the defaults of CollectionConfig in their help."""
    group = parser.add_argument_group("configuration of the collection")
    group.add_argument(
        "--config",
        type=Path,
        metavar="FILE.toml",
        help="fields of CollectionConfig; flags override",
    )
    add_legs(group)
    group.add_argument("--lexical", choices=("bm25", "none"), help="(default: bm25)")
    group.add_argument(
        "--encoder",
        metavar="promptreps[:NAME]",
        help="read each text once with a language model (a name or a folder) for both the dense "
        "and the sparse leg, as PromptReps does; --dense none or --sparse none leaves one out "
        f"(default of NAME: {PromptRepsEncoderConfig().model})",
    )
    for flag in FLAGS:
        text = f"{flag.help} (default: {_default(flag)})"
        if flag.type is bool:
            action = argparse.BooleanOptionalAction
            group.add_argument(flag.name, action=action, default=None, help=text)
        else:
            kind: Any = {"type": flag.type, "metavar": flag.metavar, "choices": flag.choices}
            group.add_argument(flag.name, help=text, **kind)


def configuration(arguments: argparse.Namespace) -> CollectionConfig:
    """The configuration that the arguments of `add_configuration` mean.

    Raises ConfigError for a wrong value and for a flag that has nothing to apply to.
    """
    value = _read_toml(arguments.config).model_dump(mode="json")
    legs: dict[str, Any] = value["legs"]
    _choose_encoder(legs, arguments)
    for name in LEGS:
        choose_leg(legs, name, getattr(arguments, name))
    if not legs:
        raise ConfigError("--dense, --sparse and --lexical are all none: nothing would be indexed")
    for flag in FLAGS:
        given = getattr(arguments, flag.attribute)
        if given is not None:
            for target in _targets(flag, value):
                _set(target, flag.field, given)
    if arguments.passages == "none":
        for flag in FLAGS:
            if (
                flag.name.startswith("--passage-")
                and getattr(arguments, flag.attribute) is not None
            ):
                raise ConfigError("does not go with --passages none", field=flag.name)
    return CollectionConfig.parse(value)


def choose_leg(legs: dict[str, Any], name: str, model: str | None) -> None:
    """Take out, add or keep one leg as `--dense NAME` and its like say; None = as it is."""
    if model == "none":
        legs.pop(name, None)
    elif model is not None:
        leg = legs.setdefault(name, _default_leg(name))
        if name in MODELS:
            _set(leg, (ENCODER, "kind"), name)
            _set(leg, (ENCODER, "model"), model)


def _choose_encoder(legs: dict[str, Any], arguments: argparse.Namespace) -> None:
    """What `--encoder` says: the dense and the sparse leg get the same, so that one pass serves."""
    if arguments.encoder is None:
        return
    kind, colon, model = arguments.encoder.partition(":")
    if kind != "promptreps" or bool(colon) != bool(model):
        message = f"{arguments.encoder!r} is not promptreps or promptreps:NAME"
        raise ConfigError(message, field="--encoder")
    given = {name: getattr(arguments, name) for name in MODELS}
    for name, other in given.items():
        if other not in (None, "none"):
            message = "does not go with --encoder, which is of both legs; only none does"
            raise ConfigError(message, field=f"--{name}")
    if all(given.values()):
        message = "there is neither a dense nor a sparse leg that it could apply to"
        raise ConfigError(message, field="--encoder")
    for name in MODELS:
        leg = legs.setdefault(name, _default_leg(name))
        _set(leg, (ENCODER, "kind"), kind)
        if model:
            _set(leg, (ENCODER, "model"), model)


def _targets(flag: Flag, value: dict[str, Any]) -> list[dict[str, Any]]:
    """The parts of a configuration that have the flag's field. Raises ConfigError for none."""
    legs: dict[str, Any] = value["legs"]
    if flag.encoders:
        found = [leg for leg in legs.values() if leg[ENCODER]["kind"] in flag.encoders]
        lacking = f"leg with an encoder of the kind {' or '.join(flag.encoders)}"
    elif flag.legs:
        found = [leg for name, leg in legs.items() if name in flag.legs]
        lacking = f"{' or '.join(flag.legs)} leg"
    else:
        return [value]
    if not found:
        raise ConfigError(f"there is no {lacking} that it could apply to", field=flag.name)
    return found


def _default(flag: Flag) -> str:
    """The default of a flag's field, for its help; of each kind of encoder where they differ."""
    if not flag.encoders:
        config = CollectionConfig()
        return str(_field(config.legs[flag.legs[0]] if flag.legs else config, flag.field))
    absent = {"max_length": "the model's limit", "top_terms": "all"}
    values = [_field(ENCODERS[kind](), flag.field[1:]) for kind in flag.encoders]
    first, *others = (
        absent.get(flag.field[-1], "what the model prescribes") if value is None else str(value)
        for value in values
    )
    differing = [f"{k} {v}" for k, v in zip(flag.encoders[1:], others, strict=True) if v != first]
    return ", ".join([first, *differing])


def _default_leg(name: str) -> dict[str, Any]:
    return CollectionConfig().legs[name].model_dump(mode="json")


def _read_toml(path: Path | None) -> CollectionConfig:
    if path is None:
        return CollectionConfig()
    try:
        with path.open("rb") as file:
            return CollectionConfig.parse(tomllib.load(file))
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror}", path=path) from None
    except tomllib.TOMLDecodeError as error:
        raise SourceError(f"not TOML: {error}", path=path) from None
    except ConfigError as error:
        raise SourceError(error.message, path=path, field=error.field) from None


def _field(config: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        config = getattr(config, name)
    return config


def _set(target: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for name in path[:-1]:
        target = target.setdefault(name, {})
    if path[-1] == "kind" and target.get("kind") != value:
        target.clear()  # another kind has other fields
    target[path[-1]] = value
