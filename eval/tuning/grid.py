"""The grid of vector storages that `tune` measures: index x codec x projection x originals."""

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
"""Default recall targets at which each approximate index is measured."""

NO_PROJECTION = "none"


def _kind(value: Any) -> Any:
    """Return {"kind": value} for a string, such as "ivf", and any other value unchanged."""
    return {"kind": value} if isinstance(value, str) else value


def _projection(value: Any) -> Any:
    """Parse the short form of a projection. Return None, or a mapping with the fields.

    Short forms are `none`, `pca:0.5` (share of the dimensions) and `pca:192` (dimensions). A value
    that is not a string is returned unchanged.
    """
    if value == NO_PROJECTION or not isinstance(value, str):
        return None if value == NO_PROJECTION else value
    kind, _, amount = value.partition(":")
    if not amount:
        return {"kind": kind}
    field, read = ("share", float) if "." in amount else ("dimensions", int)
    try:
        return {"kind": kind, field: read(amount)}
    except ValueError:
        return {"kind": kind, field: amount}  # Validation of this field then raises the error.


Index = Annotated[IndexConfig, OneOf(STRUCTURES), BeforeValidator(_kind)]
Codec = Annotated[CodecConfig, OneOf(CODECS), BeforeValidator(_kind)]
Projection = Annotated[
    Annotated[BaseProjection, OneOf(PROJECTIONS, default="pca")] | None,
    BeforeValidator(_projection),
]


class Block(Config):
    """A part of a grid: every combination of some indexes, codecs, projections and originals.

    Combinations that an index does not support are skipped; the report lists them with the reason.

    index:      the vector indexes.
    codec:      the codecs, which compress vectors. Empty: the default codec of each index.
    projection: the projections to fewer dimensions. None: no projection.
    originals:  formats in which the original vectors are stored, in addition to any codes. "none":
                they are not stored.
    """

    index: tuple[Index, ...] = Field(min_length=1)
    codec: tuple[Codec, ...] = ()
    projection: tuple[Projection, ...] = Field(default=(None,), min_length=1)
    originals: tuple[Literal["auto", "float32", "float16", "none"], ...] = Field(
        default=("auto",), min_length=1
    )

    def points(self) -> list[tuple[dict[str, Any], VectorStorage | str]]:
        """Return (fields of VectorStorage, storage) for each combination.

        An invalid combination has the reason (a text) in place of the storage.
        """
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
    """The vector storages that `tune` measures.

    block:  the parts of the grid. Each part is one block of the file.
    recall: recall targets at which approximate indexes are measured. If a block sets `recall` or
            another search parameter of an index, the index is measured only with these values.
    """

    recall: tuple[Recall, ...] = Field(default=RECALLS, min_length=1)
    block: tuple[Block, ...] = Field(min_length=1)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a grid from a TOML file with `recall = [...]` and `[[block]]` tables.

        Raises SourceError for an invalid file.
        """
        return parse_toml(path, cls.parse)

    def with_recall(self, target: float | None) -> Grid:
        """Return a copy of the grid that includes the recall target. None: unchanged."""
        if target is None or target in self.recall:
            return self
        return self.model_copy(update={"recall": (*self.recall, target)})

    def targets(self, storage: VectorStorage) -> tuple[float | None, ...]:
        """Return the recall targets at which a storage is measured.

        Returns (None,) for a storage that is measured only with its own search settings.
        """
        index = dict(storage.index)
        if "recall" not in index:
            return (None,)
        if any(index.get(name) is not None for name in storage.index.search_fields):
            return (None,)
        return tuple(sorted(set(self.recall)))


def default_grid() -> Grid:
    """Return the default grid.

    The grid combines an exact scan with every codec, with and without original vectors. Projections
    are combined with codecs that store one number per dimension, as in the paper that `tune` cites.
    Each approximate index is combined with the codecs that suit it.
    """
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
    """A combination of the grid that was not measured.

    name:   short name of the combination.
    reason: reason why it was not measured.
    """

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The vector storages to measure, and the combinations of a grid that are skipped."""

    storages: Sequence[VectorStorage]
    skipped: Sequence[Skipped]


def plan(
    grid: Grid,
    impossible: Callable[[VectorStorage], str | None],
    only: Mapping[str, Sequence[str]] | None = None,
) -> Plan:
    """Return the combinations of a grid, in the grid's order, without duplicates.

    impossible: function that returns the reason why a storage cannot be measured, or None if it can
                be measured.
    only:       axis -> values to keep. None: all values. The axes are "index", "codec" and
                "projection". Values of "projection" are, for example, "none", "pca" and "pca:0.5".

    Raises ConfigError for a value in `only` that the grid does not have, and if no combination is
    left.
    """
    storages: dict[VectorStorage, None] = {}
    skipped: dict[str, str] = {}
    used: set[tuple[str, str]] = set()
    for block in grid.block:
        for fields, storage in block.points():
            names = _axis_names(fields)
            used.update((axis, name) for axis, found in names.items() for name in found)
            if any(not names[axis] & set(wanted) for axis, wanted in (only or {}).items()):
                continue
            reason = storage if isinstance(storage, str) else impossible(storage)
            if isinstance(storage, VectorStorage) and reason is None:
                storages[storage] = None
            else:
                skipped[_describe(fields)] = reason or ""
    for axis, wanted in (only or {}).items():
        for name in wanted:
            if (axis, name) not in used:
                known = ", ".join(sorted(one for where, one in used if where == axis))
                raise ConfigError(f"the grid has no {name!r}; it has {known}", field=axis)
    if not storages:
        reasons = "".join(f"; {name}: {reason}" for name, reason in list(skipped.items())[:3])
        raise ConfigError(f"no combination can be measured{reasons}", field="grid")
    return Plan(list(storages), [Skipped(*item) for item in skipped.items()])


def label(storage: VectorStorage) -> str:
    """Return a short name of a vector storage, such as `ivf int8 pca 50 %`."""
    return _describe(storage.model_dump(include={"index", "codec", "projection", "originals"}))


def _axis_names(fields: Mapping[str, Any]) -> dict[str, set[str]]:
    """Return the names of a combination on each axis, for the argument `only` of `plan`.

    fields: the combination, as fields of VectorStorage.
    """
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
    """Return "name=value" for each field of an index or codec that differs from its default.

    Search parameters are left out, because the name of a point has the recall target.
    """
    ignored = {"kind", "flat_below", *getattr(part, "search_fields", ())}
    changed = part.model_dump(exclude_defaults=True, exclude=ignored)
    return [f"{name}={value}" for name, value in changed.items()]
