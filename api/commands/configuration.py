"""The flags of `build` that make a CollectionConfig: each is one field of it."""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core import CollectionConfig, ConfigError, SourceError


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag, and the field that it sets: a path below each of the legs, or below the whole."""

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


ENCODER = "encoder"
FLAGS = (
    Flag("--language", (ENCODER, "language"), "of the texts, for stems and stopwords: ISO 639-1 "
         "code, or none for bare words", ("lexical",), str, "CODE"),
    Flag("--k1", ("k1",), "BM25: saturation of term frequency", ("lexical",), float, "X"),
    Flag("--b", ("b",), "BM25: normalisation by length", ("lexical",), float, "X"),
    Flag("--index", ("index", "kind"), "flat is exact, hnsw a graph", ("dense",), str, None,
         ("flat", "hnsw")),
    Flag("--query-prompt", (ENCODER, "query_prompt"), "text put before a query; default: what the "
         "model prescribes", ("dense",), str, "TEXT"),
    Flag("--document-prompt", (ENCODER, "document_prompt"), "text put before a document; likewise",
         ("dense",), str, "TEXT"),
    Flag("--max-length", (ENCODER, "max_length"), "tokens that models read of a text",
         ("dense", "sparse"), int),
    Flag("--top-terms", (ENCODER, "top_terms"), "heaviest terms kept of a document", ("sparse",),
         int),
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
    default = CollectionConfig()
    for flag in FLAGS:
        value = _field(default.legs[flag.legs[0]] if flag.legs else default, flag.field)
        shown = {None: "the model's limit" if flag.name == "--max-length" else "all", "": "none"}
        text = f"{flag.help} (default: {shown.get(value, value)})"
        group.add_argument(
            flag.name, type=flag.type, metavar=flag.metavar, choices=flag.choices, help=text
        )


def configuration(arguments: argparse.Namespace) -> CollectionConfig:
    """The configuration that the arguments of `add_configuration` mean.

    Raises ConfigError for a wrong value and for a flag that has nothing to apply to.
    """
    value = _read_toml(arguments.config).model_dump(mode="json")
    legs: dict[str, Any] = value["legs"]
    for name in ("dense", "sparse", "lexical"):
        choose_leg(legs, name, getattr(arguments, name))
    if not legs:
        raise ConfigError("--dense, --sparse and --lexical are all none: nothing would be indexed")
    for flag in FLAGS:
        given = getattr(arguments, flag.attribute)
        if given is None:
            continue
        targets = [legs[name] for name in flag.legs if name in legs] if flag.legs else [value]
        if not targets:
            message = f"there is no {' or '.join(flag.legs)} leg that it could apply to"
            raise ConfigError(message, field=flag.name)
        for target in targets:
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
        leg = legs.setdefault(name, {"kind": name})
        if name in MODELS:
            _set(leg, (ENCODER, "model"), model)


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
