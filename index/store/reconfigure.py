"""Changing how the vectors of a collection are stored, while it is in use.

Every segment is written anew beside the old one; then one transaction names the new segments in
place of the old and stores the new configuration. Whoever reads goes on with what he has until his
next search. A crash before the transaction leaves files that no row names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from ...core import ConfigError, InvalidInputError, Progress
from ..arrays.files import exclusive
from ..config import CollectionConfig
from ..dense.config import DenseLeg
from ..protocol import Approximate
from ..structures.protocol import VectorStorage
from .database.database import set_meta
from .database.rows import SegmentRow
from .database.tables import read_segments
from .folder import LOCK
from .local import LocalStore
from .maintenance import DEFAULT_MEMORY, merge_segments, replace
from .segment import Segment
from .snapshot import Snapshot

if TYPE_CHECKING:
    from ..arrays.vectors import VectorSource


@dataclass(frozen=True, slots=True)
class Reconfigured:
    """What `reconfigure` did.

    changed: False when the legs were stored so already. warnings: what could not be made good.
    """

    changed: bool
    warnings: Sequence[str] = ()


def reconfigure(
    store: LocalStore,
    legs: Mapping[str, VectorStorage],
    *,
    memory: int = DEFAULT_MEMORY,
    progress: Progress | None = None,
) -> Reconfigured:
    """Store the vectors of `legs` (name -> how) in another way; nothing is encoded again.

    Writes and searches go on; what is deleted or added meanwhile stays so. Old and new segments are
    on disk together until the end. Where only the recall or parameters of searches change, files
    stay as they are. Raises ConfigError for a leg that cannot be stored so.

    memory: bytes that it may take, beyond what an index must hold to be built.
    """
    try:
        with exclusive(store.directory / LOCK, wait=True):
            return _reconfigure(store, legs, memory, progress)
    except BaseException:
        # Only what no row names: the failure may have come after the transaction.
        store.segments.remove_garbage()
        raise


def _reconfigure(
    store: LocalStore,
    legs: Mapping[str, VectorStorage],
    memory: int,
    progress: Progress | None,
) -> Reconfigured:
    """The caller holds the lock."""
    with store.view() as view:
        snapshot, old = view.snapshot, view.config
        rows = read_segments(view.connection)
    new = reconfigured(snapshot, legs)
    if new == old:
        return Reconfigured(changed=False)
    if _layouts(new) == _layouts(old):
        with store.database.write() as connection:
            set_meta(connection, "config", new.model_dump_json())
        return Reconfigured(changed=True)
    for row in rows:
        store.segments.check(row)  # Damage must not get a new, valid checksum.
    written: list[SegmentRow | None] = []
    for part, segment in zip(snapshot.parts[:-1], snapshot.segments, strict=True):
        written.append(merge_segments(store, [(segment, part.live)], memory, new, progress))
    with store.database.write() as connection:
        for row, made in zip(rows, written, strict=True):
            replace(connection, store, [row], made, row.first, row.last)
        set_meta(connection, "config", new.model_dump_json())
    store.segments.remove(rows)
    store.database.shrink()
    changed = (name for name, leg in new.legs.items() if leg != old.legs[name])
    return Reconfigured(changed=True, warnings=_lost(snapshot.segments, changed))


def _layouts(config: CollectionConfig) -> list[VectorStorage]:
    return [leg.storage.layout for leg in config.legs.values() if isinstance(leg, DenseLeg)]


def check_reconfigure(store: LocalStore, legs: Mapping[str, VectorStorage]) -> None:
    """Raise what `reconfigure` would for legs that cannot be stored so, and change nothing."""
    with store.view() as view:
        reconfigured(view.snapshot, legs)


def reconfigured(snapshot: Snapshot, legs: Mapping[str, VectorStorage]) -> CollectionConfig:
    """Its configuration with these legs stored so. Raises InvalidInputError, which names the leg,
    and MissingExtraError for an index whose library is not installed."""
    config = snapshot.config
    changed = dict(config.legs)
    for name, storage in legs.items():
        leg = changed.get(name)
        if not isinstance(leg, DenseLeg):
            able = ", ".join(n for n, known in config.legs.items() if isinstance(known, DenseLeg))
            problem = f"there is no leg {name!r}" if leg is None else f"leg {name!r} is {leg.kind}"
            raise InvalidInputError(
                f"{problem}; dense legs here: {able or 'none'}", field=f"legs.{name}"
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
    """Dimensions of a leg's vectors; None while there are none."""
    for segment in snapshot.segments:
        if len(segment.legs[leg]):
            return cast("VectorSource", segment.legs[leg]).width
    delta = snapshot.delta[leg]
    if not len(delta):
        return None
    dense = delta.rows(np.zeros(1, dtype=np.int64)).dense
    return None if dense is None else dense.shape[1]


def _lost(segments: Sequence[Segment], legs: Iterable[str]) -> list[str]:
    """A warning for each leg that has no originals to be stored anew from."""
    warnings = []
    for name in legs:
        for segment in segments:
            part = segment.legs[name]
            told = part.description() if isinstance(part, Approximate) else {}
            exact = told.get("codec") == "float32" and told.get("projection") is None
            if told.get("originals") == "none" and not exact:
                warnings.append(
                    f"leg {name}: no originals were kept, so its vectors are now as the index "
                    f"{told['index']} with codec {told['codec'] or 'of its own'} had left them; "
                    "build the collection anew to have what was lost"
                )
                break
    return warnings
