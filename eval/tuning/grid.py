"""Which ways of storing vectors are tried: products of index, codec, projection and originals."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field

from ...core import Config, ConfigError, OneOf, parse_toml
from ...index import CODECS, CodecConfig, IndexConfig, VectorStorage
from ...index.codecs.config import PROJECTIONS, BaseProjection
from ...index.structures.protocol import STRUCTURES, codecs_of
from ...index.structures.vector_search import Recall

RECALLS = (0.9, 0.95, 0.98, 0.99)
"""Recall targets at which each approximate index is tried."""

NO_PROJECTION = "none"


def _kind(value: Any) -> Any:
    """A bare name stands for the kind with its defaults."""
    return {"kind": value} if isinstance(value, str) else value


def _projection(value: Any) -> Any:
    """`none`; `pca:0.5` for {kind = "pca", share = 0.5}; `pca:192` for so many dimensions."""
    if value == NO_PROJECTION or not isinstance(value, str):
        return None if value == NO_PROJECTION else value
    kind, _, amount = value.partition(":")
    field = "share" if "." in amount else "dimensions"
    return {"kind": kind, **({field: amount} if amount else {})}


Index = Annotated[IndexConfig, OneOf(STRUCTURES), BeforeValidator(_kind)]
Codec = Annotated[CodecConfig, OneOf(CODECS), BeforeValidator(_kind)]
Projection = Annotated[
    Annotated[BaseProjection, OneOf(PROJECTIONS, default="pca")] | None,
    BeforeValidator(_projection),
]


class Block(Config):
    """Every combination of these. What an index cannot hold is left out, and said.

    codec: empty = the usual one of each index.
    """

    index: tuple[Index, ...] = Field(min_length=1)
    codec: tuple[Codec, ...] = ()
    projection: tuple[Projection, ...] = Field(default=(None,), min_length=1)
    originals: tuple[Literal["auto", "float32", "float16", "none"], ...] = Field(
        default=("auto",), min_length=1
    )

    def points(self) -> list[tuple[dict[str, Any], VectorStorage | str]]:
        """Each combination as plain fields, and what it means or why it cannot be."""
        found: list[tuple[dict[str, Any], VectorStorage | str]] = []
        axes = (self.index, self.codec or (None,), self.projection, self.originals)
        for index, codec, projection, originals in itertools.product(*axes):
            fields = {
                "index": index.model_dump(),
                "codec": codec and codec.model_dump(),
                "projection": projection and projection.model_dump(),
                "originals": originals,
            }
            try:
                found.append((fields, VectorStorage.parse(fields)))
            except ConfigError as error:
                found.append((fields, error.message))
        return found


class Grid(Config):
    """What is tried.

    recall: targets for indexes that have one. One that is written in a block's index, or a
    parameter in its place, is tried alone.
    """

    recall: tuple[Recall, ...] = Field(default=RECALLS, min_length=1)
    block: tuple[Block, ...] = Field(min_length=1)

    @classmethod
    def read(cls, path: Path) -> Self:
        """From a TOML file with `recall = [...]` and `[[block]]` tables. Raises SourceError."""
        return parse_toml(path, cls.parse)

    def with_recall(self, target: float | None) -> Grid:
        """With one more target."""
        if target is None or target in self.recall:
            return self
        return self.model_copy(update={"recall": (*self.recall, target)})

    def targets(self, storage: VectorStorage) -> tuple[float | None, ...]:
        """Recall targets to try; (None,) = as the storage itself says."""
        index = dict(storage.index)
        if "recall" not in index:
            return (None,)
        if any(index.get(name) is not None for name in storage.index.search_fields):
            return (None,)
        return tuple(sorted(set(self.recall)))


def default_grid() -> Grid:
    """Every codec under an exact scan, with and without its originals; projections where codes of
    single dimensions are kept alone, as in the storage paper; the codecs that suit each index."""
    halves = ("pca:0.5", "pca:0.25")
    every = ("float8_e4m3", "int8", "int4", "binary", "pq")
    return Grid.parse(
        {
            "block": [
                {"index": ["flat"], "codec": ["float32", "float16"]},
                {"index": ["flat"], "codec": (*every, "rabitq")},
                {"index": ["flat"], "codec": every, "originals": ["none"]},
                {
                    "index": ["flat"],
                    "codec": ["float16", "float8_e4m3", "int8", "int4"],
                    "projection": halves,
                    "originals": ["none"],
                },
                {"index": ["flat"], "codec": ["int8", "int4"], "projection": halves},
                {"index": ["ivf"], "codec": ["pq", "int8", "int4", "float16", "float32", "rabitq"]},
                {"index": ["ivf"], "codec": ["int8"], "originals": ["none"]},
                {"index": ["ivf"], "codec": ["int8"], "projection": halves},
                {"index": ["hnsw"], "codec": ["float32", "float16", "int8", "int4"]},
                {"index": ["hnsw"], "codec": ["int8"], "originals": ["none"]},
                {"index": ["hnsw"], "codec": ["int8"], "projection": halves},
                {"index": ["spann"], "codec": ["int8", "float8_e4m3", "float32", "int4"]},
                {"index": ["spann"], "codec": ["int8"], "originals": ["none"]},
                {"index": ["spann"], "codec": ["int8"], "projection": ["pca:0.5"]},
                {"index": ["scann"]},
            ]
        }
    )


@dataclass(frozen=True, slots=True)
class Skipped:
    """A combination that was not measured."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured, and what is not."""

    storages: Sequence[VectorStorage]
    skipped: Sequence[Skipped]


def plan(
    grid: Grid,
    impossible: Callable[[VectorStorage], str | None],
    only: Mapping[str, Sequence[str]] | None = None,
) -> Plan:
    """The combinations of a grid, each once, in its order.

    impossible: why a storage cannot be measured here; None = it can.
    only: kinds of "index", "codec" or "projection" (as "none", "pca" or "pca:0.5") to keep.
    Raises ConfigError for one that the grid does not have, and if nothing is left.
    """
    storages: dict[VectorStorage, None] = {}
    skipped: dict[str, str] = {}
    used: set[tuple[str, str]] = set()
    for block in grid.block:
        for fields, storage in block.points():
            words = _words(fields)
            used.update((axis, word) for axis, found in words.items() for word in found)
            if any(not words[axis] & set(wanted) for axis, wanted in (only or {}).items()):
                continue
            reason = storage if isinstance(storage, str) else impossible(storage)
            if isinstance(storage, VectorStorage) and reason is None:
                storages[storage] = None
            else:
                skipped[_describe(fields)] = reason or ""
    for axis, wanted in (only or {}).items():
        for word in wanted:
            if (axis, word) not in used:
                known = ", ".join(sorted(name for where, name in used if where == axis))
                raise ConfigError(f"the grid has no {word!r}; it has {known}", field=axis)
    if not storages:
        reasons = "".join(f"; {name}: {reason}" for name, reason in list(skipped.items())[:3])
        raise ConfigError(f"nothing is left to be measured{reasons}", field="grid")
    return Plan(list(storages), [Skipped(*item) for item in skipped.items()])


def label(storage: VectorStorage) -> str:
    """A short name that tells the storages of a grid apart, e.g. `ivf int8 pca 50 %`."""
    return _describe(storage.model_dump(include={"index", "codec", "projection", "originals"}))


def _words(fields: Mapping[str, Any]) -> dict[str, set[str]]:
    """What a combination is called, on each axis."""
    index, projection = fields["index"]["kind"], fields["projection"]
    codec = (fields["codec"] or {}).get("kind") or next(iter(codecs_of(STRUCTURES[index])), index)
    reductions = {NO_PROJECTION}
    if projection:
        kept = projection["dimensions"] or projection["share"]
        reductions = {projection["kind"], f"{projection['kind']}:{kept:g}"}
    return {"index": {index}, "codec": {codec}, "projection": reductions}


def _describe(fields: Mapping[str, Any]) -> str:
    index, codec, projection = fields["index"], fields["codec"], fields["projection"]
    parts = [index["kind"], *_changed(STRUCTURES[index["kind"]].stored(index))]
    if codec:
        parts += [codec["kind"], *_changed(CODECS[codec["kind"]].stored(codec))]
    if projection:
        kept = projection["dimensions"] or f"{projection['share']:.0%}".replace("%", " %")
        parts.append(f"{projection['kind']} {kept}")
    if fields["originals"] != "auto":
        kept = fields["originals"]
        parts.append("codes only" if kept == "none" else f"originals {kept}")
    return " ".join(parts)


def _changed(part: Config) -> list[str]:
    """What differs from the defaults of its kind; how far searches look is told elsewhere."""
    apart = {"kind", "flat_below", *getattr(part, "search_fields", ())}
    changed = part.model_dump(exclude_defaults=True, exclude=apart)
    return [f"{name}={value}" for name, value in changed.items()]
