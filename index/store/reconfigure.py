"""Changes how a collection stores its vectors (index, codec), while the collection is in use.

A new segment is written beside every old one. Then one transaction replaces the old segments with
the new ones and stores the new configuration. A running search finishes on the old segments. If the
process crashes before the transaction, the new files are not used, and the next opening of the
collection removes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from ...core import ConfigError, InvalidInputError, Progress, Reconfigured
from ..arrays.files import exclusive
from ..config import CollectionConfig
from ..dense.config import DenseLeg
from ..protocol import Approximate
from ..structures.protocol import VectorStorage
from .database.database import set_meta
from .database.rows import SegmentRow
from .database.segments import read_segments
from .folder import LOCK
from .local import LocalStore
from .maintenance import DEFAULT_MEMORY, kept_rows, merge_segments, replace_segments
from .segment import Segment
from .snapshot import Snapshot

if TYPE_CHECKING:
    from ..arrays.vectors import VectorSource


def reconfigure(
    store: LocalStore,
    legs: Mapping[str, VectorStorage],
    *,
    memory: int = DEFAULT_MEMORY,
    progress: Progress | None = None,
) -> Reconfigured:
    """Change how dense legs store their vectors. No text is encoded again.

    legs: leg -> new storage options.
    memory: working memory in bytes. An index may need additional memory to be built.

    Writes and searches continue, and no change made during the call is lost. Old and new segments
    are both on disk until the end. If only the recall target or the parameters of searches change,
    no file is rewritten. Raises ConfigError for a leg that does not support its new options.
    """
    try:
        with exclusive(store.directory / LOCK, wait=True):
            return _reconfigure(store, legs, memory, progress)
    except BaseException:
        # Only files that no row names: the transaction may already be committed.
        store.segments.remove_garbage()
        raise


def _reconfigure(
    store: LocalStore,
    legs: Mapping[str, VectorStorage],
    memory: int,
    progress: Progress | None,
) -> Reconfigured:
    """See `reconfigure`. The caller holds the maintenance lock of the collection."""
    with store.view() as view:
        snapshot, old = view.snapshot, view.config
        rows = read_segments(view.connection)
        masks = kept_rows(view)
    new = new_config(snapshot, legs)
    if new == old:
        return Reconfigured(changed=False)
    if _layouts(new) == _layouts(old):
        with store.database.write() as connection:
            set_meta(connection, "config", new.model_dump_json())
        return Reconfigured(changed=True)
    for row in rows:
        store.segments.check(row)  # Damage must not get a new, valid checksum.
    written: list[SegmentRow | None] = []
    for mask, segment in zip(masks[:-1], snapshot.segments, strict=True):
        written.append(merge_segments(store, [(segment, mask)], memory, new, progress))
    with store.database.write() as connection:
        for row, made in zip(rows, written, strict=True):
            replace_segments(connection, store, [row], made, row.first, row.last)
        set_meta(connection, "config", new.model_dump_json())
    store.segments.remove(rows)
    store.database.shrink()
    changed = (name for name, leg in new.legs.items() if leg != old.legs[name])
    return Reconfigured(changed=True, warnings=tuple(_loss_warnings(snapshot.segments, changed)))


def _layouts(config: CollectionConfig) -> list[VectorStorage]:
    return [leg.storage.layout for leg in config.legs.values() if isinstance(leg, DenseLeg)]


def check_reconfigure(store: LocalStore, legs: Mapping[str, VectorStorage]) -> None:
    """Raise the error that `reconfigure` raises for invalid storage options. Changes nothing.

    legs: leg -> new storage options.
    """
    with store.view() as view:
        new_config(view.snapshot, legs)


def new_config(snapshot: Snapshot, legs: Mapping[str, VectorStorage]) -> CollectionConfig:
    """Return the configuration of `snapshot` with new storage options for some legs.

    legs: leg -> new storage options.

    Raises InvalidInputError for a leg that is not dense, or for options that it does not support.
    Raises MissingExtraError if a library that the new index needs is not installed.
    """
    config = snapshot.config
    changed = dict(config.legs)
    for name, storage in legs.items():
        leg = changed.get(name)
        if not isinstance(leg, DenseLeg):
            able = ", ".join(n for n, known in config.legs.items() if isinstance(known, DenseLeg))
            problem = f"there is no leg {name!r}" if leg is None else f"leg {name!r} is {leg.kind}"
            raise InvalidInputError(
                f"{problem}; only dense legs can be reconfigured ({able or 'there are none'})",
                field=f"legs.{name}",
            )
        if storage == leg.storage:
            continue
        try:
            changed[name] = DenseLeg.parse({**dict(leg), **dict(storage)})
            if (width := _width(snapshot, name)) is not None:
                storage.check_width(width)
        except ConfigError as error:
            field = f"legs.{name}" + (f".{error.field}" if error.field else "")
            raise ConfigError(error.message, field=field) from None
    new = config.model_copy(update={"legs": changed})
    new.check_installed()
    return new


def _width(snapshot: Snapshot, leg: str) -> int | None:
    """Return the number of dimensions of a leg's vectors, or None if it has no vectors yet."""
    for segment in snapshot.segments:
        if len(segment.legs[leg]):
            return cast("VectorSource", segment.legs[leg]).width
    delta = snapshot.delta[leg]
    if not len(delta):
        return None
    dense = delta.rows(np.zeros(1, dtype=np.int64)).dense
    return None if dense is None else dense.shape[1]


def _loss_warnings(segments: Sequence[Segment], legs: Iterable[str]) -> list[str]:
    """Return a warning for each leg whose vectors have lost precision in at least one segment.

    Such a segment stores codes of a lossy codec and not the vectors as encoded (the originals).
    """
    warnings = []
    for name in legs:
        for segment in segments:
            part = segment.legs[name]
            stored = part.description() if isinstance(part, Approximate) else {}
            exact = stored.get("codec") == "float32" and stored.get("projection") is None
            if stored.get("originals") == "none" and not exact:
                codec = f"codec {stored['codec']}" if stored["codec"] else "its own codec"
                warnings.append(
                    f"leg {name}: the vectors as encoded were not kept, so the new vectors have "
                    f"only the precision of the old index ({stored['index']} with {codec}); build "
                    "the collection again to restore full precision"
                )
                break
    return warnings
