"""The words and titles of a collection, read from the database and kept in memory.

They are read at the first completion. Later ones read only the documents that were written since.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Protocol, Self, TypeVar

import numpy as np

from ....core.trace import checkpoint
from ...inverted.titles import TitleBlock, complete_titles, earlier_words
from ...inverted.words import Mask, Numbers, WordBlock, count_words
from ..database.tables import read_documents

_CHUNK = 4_000
"""Number of documents that are read before they are added to the index."""

_KEPT = 16
"""Maximum number of masks that are kept."""


class _Block(Protocol):
    @property
    def size(self) -> int: ...

    def merged(self, other: Self) -> Self: ...


BlockT = TypeVar("BlockT", bound=_Block)


@dataclass(frozen=True, slots=True)
class _State:
    """What was read so far.

    through: highest number of a document that was read.
    size:    number of documents that were read.
    """

    words: Sequence[WordBlock] = ()
    titles: Sequence[TitleBlock] = ()
    through: int = 0
    size: int = 0


class StoredWords:
    """The words and titles of the documents of a collection. Thread-safe."""

    def __init__(self) -> None:
        self._state = _State()
        self._reading = Lock()
        self._masks: OrderedDict[Hashable, Mask] = OrderedDict()

    def words(
        self,
        connection: sqlite3.Connection,
        key: Hashable,
        visible: Callable[[], Numbers],
        earlier: str,
        prefix: str,
        typos: int,
    ) -> dict[str, tuple[int, int]]:
        """Return word -> (typos, documents); see `VocabularyView.completions`.

        connection: a read transaction.
        key:        identifies the result of `visible`.
        visible:    returns the numbers of the documents that may be counted.
        """
        state = self._read(connection)
        mask = self._mask(state, key, visible)
        return count_words(state.words, prefix, _narrowed(state.words, mask, earlier), typos)

    def titles(
        self,
        connection: sqlite3.Connection,
        key: Hashable,
        visible: Callable[[], Numbers],
        text: str,
        limit: int,
    ) -> list[int]:
        """Return the numbers of the documents whose titles complete a text."""
        state = self._read(connection)
        mask = self._mask(state, key, visible)
        return [number for _, _, number in complete_titles(state.titles, text, mask, limit)]

    def _mask(self, state: _State, key: Hashable, visible: Callable[[], Numbers]) -> Mask:
        """Return a mask of the documents that may be counted, for all numbers that were read."""
        known = self._masks.get(key)
        if known is not None and len(known) > state.through:
            return known
        numbers = visible()
        mask = np.zeros(max(state.through, int(numbers.max(initial=0))) + 1, dtype=np.bool_)
        mask[numbers] = True
        self._masks[key] = mask
        while len(self._masks) > _KEPT:
            try:
                self._masks.popitem(last=False)
            except KeyError:  # Another thread emptied the cache.
                break
        return mask

    def _read(self, connection: sqlite3.Connection) -> _State:
        """Read the documents that were written since the last call. Return what is read now."""
        (last,) = connection.execute("SELECT max(number) FROM documents").fetchone()
        if (last or 0) <= self._state.through:
            return self._state
        with self._reading:
            (live,) = connection.execute("SELECT count(*) FROM documents").fetchone()
            if self._state.size > 2 * live + _CHUNK:  # Most were deleted since.
                self._state = _State()
            # A search that is stopped by its time limit keeps what it has read.
            while chunk := self._chunk(connection):
                checkpoint()
                self._state = self._extended(connection, chunk)
            return self._state

    def _chunk(self, connection: sqlite3.Connection) -> list[int]:
        sql = "SELECT number FROM documents WHERE number > ? ORDER BY number LIMIT ?"
        rows = connection.execute(sql, (self._state.through, _CHUNK))
        return [number for (number,) in rows]

    def _extended(self, connection: sqlite3.Connection, numbers: Sequence[int]) -> _State:
        found = read_documents(connection, numbers)
        texts = ((number, f"{one.title}\n{one.text}") for number, one in found.items())
        titles = TitleBlock.of((one.title.lower(), one.id, n) for n, one in found.items())
        return _State(
            _grown(self._state.words, WordBlock.of(texts)),
            _grown(self._state.titles, titles),
            numbers[-1],
            self._state.size + len(numbers),
        )


def _grown(blocks: Sequence[BlockT], new: BlockT) -> tuple[BlockT, ...]:
    """Return blocks with one more, merged with those before it of at most twice its size."""
    kept = list(blocks)
    while kept and kept[-1].size <= 2 * new.size:
        new = kept.pop().merged(new)
    return (*kept, new)


def _narrowed(blocks: Sequence[WordBlock], mask: Mask, earlier: str) -> Mask:
    """Return the part of a mask with all earlier words; the whole mask if no document has them."""
    found = mask
    for word in earlier_words(earlier):
        own = np.zeros(len(mask), dtype=np.bool_)
        for block in blocks:
            own[block.having(word)] = True
        found = found & own
    return found if found is mask or found.any() else mask
