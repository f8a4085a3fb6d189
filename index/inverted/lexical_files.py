"""Files of a lexical leg in one segment: mapping, writing from term frequencies, merging."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core import TermCounts
from ..arrays.npy import NpyFile, NpyWriter, save
from ..arrays.offsets import of_lengths
from ..protocol import Mask, kept_rows
from .dictionary import DictionaryWriter, TermDictionary, encode, hash_of
from .postings import MERGE_BYTES, Block, Postings, PostingsWriter, join, new_numbers

TERM_BYTES = 256
"""Working memory in bytes of a merge, for each term of a block and each source."""

Pairs = NDArray[np.int64]
"""Pairs of term frequency and passage length, as frequency * 2**32 + length."""


class LexicalFiles:
    """The mapped files of a lexical leg in one segment. `len` is the number of rows."""

    def __init__(self, directory: Path) -> None:
        """Map the files in `directory`. Raises OSError or ValueError for an unusable file."""
        self.dictionary = TermDictionary(directory)
        self.lengths = NpyFile(directory / "lengths.npy", np.int32)
        self.pairs = NpyFile(directory / "pairs.npy", np.int32, dimensions=2)
        if self.pairs.array.shape[1] != 2:
            raise ValueError(f"pairs.npy must have 2 columns, got {self.pairs.array.shape[1]}")
        codes: NpyFile[Any] = NpyFile(directory / "codes.npy", np.uint16, np.uint32)
        codes.check_below(len(self.pairs))
        self.postings = Postings(directory, codes, len(self.dictionary), len(self.lengths))

    def __len__(self) -> int:
        return len(self.lengths)


def write(directory: Path, passages: Sequence[TermCounts]) -> None:
    """Write the files of a segment into `directory`.

    passages: term frequencies of each passage.
    """
    numbers: dict[str, int] = {}
    terms = np.fromiter(
        (numbers.setdefault(term, len(numbers)) for counts in passages for term in counts),
        dtype=np.int32,
    )
    frequencies = np.fromiter((tf for counts in passages for tf in counts.values()), dtype=np.int32)
    distinct = np.array([len(counts) for counts in passages], dtype=np.int64)
    lengths = np.array([sum(counts.values()) for counts in passages], dtype=np.int32)

    pairs, codes = np.unique(_pairs(frequencies, np.repeat(lengths, distinct)), return_inverse=True)
    hashed = [(hash_of(raw), raw) for raw in map(encode, numbers)]
    order = sorted(range(len(hashed)), key=hashed.__getitem__)
    ranks = np.empty(len(order), dtype=np.int32)
    ranks[order] = np.arange(len(order), dtype=np.int32)

    # A matrix of passages and terms; its columns are the posting lists.
    from scipy.sparse import csr_array  # Slow to import, needed for writing only.

    matrix = csr_array(
        (codes.astype(_code_type(pairs)), ranks[terms], of_lengths(distinct)),
        shape=(len(passages), len(order)),
    ).tocsc()
    with DictionaryWriter(directory) as dictionary:
        dictionary.append([hashed[index] for index in order])
    with PostingsWriter(directory, "codes.npy", _code_type(pairs)) as postings:
        postings.append(np.diff(matrix.indptr), matrix.indices, matrix.data)
    _save_pairs(directory, pairs)
    save(directory / "lengths.npy", lengths)


def merge(
    directory: Path, sources: Sequence[tuple[LexicalFiles, Mask | None]], memory: int
) -> None:
    """Merge segments into one in `directory`. Rows keep the order of `sources`.

    sources: files of each segment, and a mask of its rows to keep (None: all).
    memory:  approximate bytes of working memory.

    Merges one range of term hashes at a time, the largest that fits into `memory`. The posting
    lists of a single hash may exceed `memory`.
    """
    parts = [source for source, _ in sources]
    kept_rows(sources)
    numbers = list(new_numbers([(len(source), mask) for source, mask in sources]))
    with NpyWriter(directory / "lengths.npy", np.int32) as lengths:
        for part, mask in sources:
            values = part.lengths.read(0, len(part))
            lengths.append(values if mask is None else values[mask])

    pairs: Pairs = np.empty(0, dtype=np.int64)
    for (part, mask), new in zip(sources, numbers, strict=True):
        # One source at a time: the pairs of all sources together may exceed `memory`.
        pairs = np.union1d(pairs, _used_pairs(part, mask, new, memory))
    # For each source, the new code of each old code. Unused codes get arbitrary values.
    recoded = [
        np.searchsorted(pairs, _part_pairs(part)).astype(_code_type(pairs)) for part in parts
    ]
    positions = [0] * len(parts)
    with (
        DictionaryWriter(directory) as dictionary,
        PostingsWriter(directory, "codes.npy", _code_type(pairs)) as postings,
    ):
        while any(
            position < len(part.dictionary) for position, part in zip(positions, parts, strict=True)
        ):
            ends = _ends(parts, positions, memory)
            names = [
                part.dictionary.read(first, last)
                for part, first, last in zip(parts, positions, ends, strict=True)
            ]
            union = sorted({name for some in names for name in some})
            merged_numbers = {name: number for number, name in enumerate(union)}
            blocks = []
            for index, part in enumerate(parts):
                block = part.postings.read(positions[index], ends[index])
                block = block.renumber(numbers[index])
                own = np.array([merged_numbers[name] for name in names[index]], dtype=np.int64)
                blocks.append(Block(own[block.terms], block.rows, recoded[index][block.values]))
            merged = join(blocks)
            present = np.bincount(merged.terms, minlength=len(union))
            dictionary.append([name for name, count in zip(union, present, strict=True) if count])
            postings.append(present[present > 0], merged.rows, merged.values)
            positions = ends
    _save_pairs(directory, pairs)


def _pairs(frequencies: NDArray[np.int32], lengths: NDArray[np.int32]) -> Pairs:
    return (frequencies.astype(np.int64) << 32) | lengths


def _part_pairs(part: LexicalFiles) -> Pairs:
    return _pairs(part.pairs.array[:, 0], part.pairs.array[:, 1])


def _save_pairs(directory: Path, pairs: Pairs) -> None:
    columns = np.stack([pairs >> 32, pairs & 0xFFFFFFFF], axis=1)
    save(directory / "pairs.npy", columns.astype(np.int32))


def _code_type(pairs: Pairs) -> type[np.unsignedinteger]:
    return np.uint16 if len(pairs) <= 1 << 16 else np.uint32


def _used_pairs(
    part: LexicalFiles, mask: Mask | None, numbers: NDArray[np.int32], memory: int
) -> Pairs:
    """Return the pairs (see `Pairs`) of one segment that occur in its kept rows, ascending.

    mask:    rows to keep; None: all.
    numbers: number of each row after the merge; -1 for a dropped row.
    memory:  approximate bytes of working memory.
    """
    if mask is None:
        return _part_pairs(part)
    used = np.zeros(len(part.pairs), dtype=np.bool_)
    for block in part.postings.blocks(memory):
        used[block.renumber(numbers).values] = True
    return _part_pairs(part)[used]


def _ends(parts: Sequence[LexicalFiles], begins: Sequence[int], memory: int) -> list[int]:
    """Return, for each segment, the end (exclusive) of its next range of terms to merge.

    The range of segment i begins at term begins[i]. The ranges cover the same hashes in all
    segments, and are the largest that can be merged in `memory` bytes.
    """

    def ends(hash_: int) -> list[int]:
        return [part.dictionary.count_below(hash_) for part in parts]

    def fits(hash_: int) -> bool:
        size = 0
        for part, first, last in zip(parts, begins, ends(hash_), strict=True):
            postings = int(part.postings.indptr[last] - part.postings.indptr[first])
            size += (last - first) * TERM_BYTES + postings * MERGE_BYTES
        return size <= memory

    everything = 1 << 64
    if fits(everything):
        return ends(everything)
    low = 1 + min(
        part.dictionary.hash_at(position)
        for part, position in zip(parts, begins, strict=True)
        if position < len(part.dictionary)
    )
    high = everything
    while high - low > 1:
        middle = (low + high) // 2
        if fits(middle):
            low = middle
        else:
            high = middle
    return ends(low)
