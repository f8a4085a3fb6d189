"""Inverted lists (Sivic and Zisserman 2003) of coded vectors, with FAISS.

    ivf.faiss    centres and lists, in FAISS's format; the lists are held in memory
    lengths.npy  float32 [rows], lengths of the original vectors, to which decoded vectors are
                 scaled; exists only if no originals are stored

A vector is stored in the list of the centre with the largest inner product. With 4-bit product
quantisation it is stored in a second list too (`spilling.py`). Measured at 200,000 vectors: a
search with recall .98 reads 11 lists instead of 64.

The default codec is product quantisation with 4 bits for every 2 dimensions, scanned in registers
(FastScan, Andre et al. 2017). Codes take 1/16 of float32. The segment rescores 4 candidates for
each result.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from ....core import Progress
from ...arrays.npy import NpyFile, NpyWriter
from ...arrays.vectors import Vectors, VectorSource
from ...codecs.config import FAISS_BITS, PqCodec, RabitqCodec
from ...protocol import Mask, Ranking
from .. import faiss_calls
from ..faiss_calls import faiss
from ..protocol import Parameters, VectorStorage, settings
from . import coarse
from .config import IvfConfig
from .gpu import on_devices
from .spilling import distinct, two_lists

FILE = "ivf.faiss"
LENGTHS = "lengths.npy"

_FITTED = 8_192
"""Minimum number of vectors that codecs are fitted on."""

_EFFORT = {kind: 1.0 if kind == "float32" else 0.5 for kind in FAISS_BITS}
_FAST_EFFORT = 0.1
"""Cost of scanning a code, relative to scoring an original vector."""

_DEVICE_LIMIT = 2_048
"""Maximum number of results and of lists per query on a GPU."""


class IvfLists:
    """A Structure that scans the inverted lists whose centres are nearest to a query."""

    exact_vectors = None
    """See Structure. Vectors are stored in the order of the lists, not of the rows."""

    def __init__(
        self, index: Any, lengths: NpyFile[np.float32] | None, storage: VectorStorage, size: int
    ) -> None:
        """Create the structure from its open files.

        index:   IVF index of FAISS.
        lengths: lengths of the original vectors, float32 [rows]; None if originals are stored.
        size:    bytes of ivf.faiss.
        """
        self._index = index
        self._replicas = _replicas(storage, index.nlist)
        self._lengths = lengths
        self._storage = storage
        self.memory = size
        self._settings: dict[int, Any] = {}

    def __len__(self) -> int:
        return int(self._index.ntotal) // self._replicas

    @classmethod
    def build(
        cls,
        directory: Path,
        vectors: VectorSource,
        storage: VectorStorage,
        memory: int,
        progress: Progress,
    ) -> None:
        """Write the files of the index into `directory`. See `Structure.build`."""
        lists = coarse.list_count(len(vectors), settings(storage, IvfConfig).lists)
        sample = faiss_calls.sample(vectors, _sampled(lists))
        centres = coarse.centres(sample, lists)
        exact = coarse.exact_quantizer(centres)
        in_two_lists = _replicas(storage, lists) == 2
        index = _new_index(exact, storage, plain=in_two_lists)
        faiss_calls.train(index, sample)
        with ExitStack() as stack:
            lengths = None
            if storage.kept == "none":
                lengths = stack.enter_context(NpyWriter(directory / LENGTHS, np.float32))
            done = 0
            for block in faiss_calls.blocks(vectors, memory):
                if in_two_lists:
                    faiss_calls.add_to_lists(index, block, done, two_lists(block, centres, exact))
                else:
                    index.add(block)
                done += len(block)
                if lengths is not None:
                    lengths.append(np.linalg.norm(block, axis=1))
                progress.advance(len(block))
        if in_two_lists:
            # FAISS can add to given lists only before it converts them to FastScan.
            index = faiss().IndexIVFPQFastScan(index)
        # RaBitQ encodes the difference to the centre, so the exact centre is required.
        keep = isinstance(storage.used_codec, RabitqCodec)
        quantizer = coarse.fast_quantizer(exact, sample, keep=keep)
        index.quantizer = quantizer
        faiss_calls.write(index, directory / FILE)

    @classmethod
    def open(cls, directory: Path, storage: VectorStorage) -> Self:
        """Open the files of an index. See `Structure.open`."""
        path = directory / FILE
        index = faiss_calls.read(path)
        if not isinstance(index, faiss().IndexIVF):
            raise ValueError(
                f"{path.name} must be an IVF index of FAISS, got {type(index).__name__}"
            )
        if isinstance(index, faiss().IndexIVFPQFastScan):
            index.fine_quantizer = index.pq  # FAISS 1.15 does not restore it.
        lengths: NpyFile[np.float32] | None = None
        rows = index.ntotal // _replicas(storage, index.nlist)
        _check_rows(index, rows, path)
        if storage.kept == "none":
            lengths = NpyFile(directory / LENGTHS, np.float32)
            if len(lengths) != rows:
                raise ValueError(f"{LENGTHS} must have {rows} lengths, got {len(lengths)}")
        return cls(index, lengths, storage, path.stat().st_size)

    @classmethod
    def building_bytes(cls, rows: int, width: int, storage: VectorStorage) -> int:
        """Return the minimum memory, in bytes, to build an index of `rows` vectors.

        See `Structure.building_bytes`.
        """
        config = settings(storage, IvfConfig)
        lists = coarse.list_count(rows, config.lists)
        sampled = min(rows, _sampled(lists)) + 2 * lists  # Centres in training.
        # With two lists per vector, all codes are stored twice and copied once for FastScan.
        copies = 1 if config.lists_of_each(storage.used_codec) == 1 else 4
        return copies * rows * (8 + _code_bytes(storage, width)) + 4 * width * sampled

    def ladder(self) -> Sequence[Parameters]:
        """Return the search parameters to calibrate, cheapest first, all with the same keys.

        See `Structure.ladder`.
        """
        numbers = faiss_calls.ladder_values(int(self._index.nlist))
        return faiss_calls.ladder("nprobe", numbers, self._storage)

    def cost(self, parameters: Parameters, k: int) -> float:
        """Estimate the time of a search for k results for one query. See `Structure.cost`."""
        codec = self._storage.used_codec
        effort = _FAST_EFFORT if codec is None else _EFFORT.get(codec.kind, _FAST_EFFORT)
        lists = int(self._index.nlist)
        scanned = int(self._index.ntotal) * min(1.0, parameters["nprobe"] / lists)
        rescored = k * parameters.get("oversample", 0)
        return 500 + _FAST_EFFORT * lists + effort * scanned + rescored

    def search(
        self, queries: Vectors, k: int, parameters: Parameters, allowed: Mask | None
    ) -> Ranking:
        """Return up to k candidates for each query among the allowed rows, best first.

        See `Structure.search`.
        """
        nprobe = min(parameters["nprobe"], int(self._index.nlist))
        index = self._index
        if allowed is None:
            if self._on_devices is not None and max(k, nprobe) <= _DEVICE_LIMIT:
                index = self._on_devices
            settings = self._settings.get(nprobe)
            if settings is None:
                settings = self._settings[nprobe] = faiss().SearchParametersIVF(nprobe=nprobe)
        else:
            settings = faiss().SearchParametersIVF(nprobe=nprobe, sel=faiss_calls.selector(allowed))
        found = faiss_calls.search(index, queries, self._replicas * k, settings)
        return found if self._replicas == 1 else distinct(found, k)

    def read(self, start: int, stop: int) -> Vectors:
        """See Structure. Each call searches all lists, so read many vectors at a time."""
        if start >= stop:
            return np.empty((0, self._index.d), np.float32)
        decoded: Vectors = self._index.reconstruct_n(start, stop - start)
        if self._lengths is not None:
            norms = np.maximum(np.linalg.norm(decoded, axis=1), np.finfo(np.float32).tiny)
            decoded *= (self._lengths.read(start, stop) / norms)[:, None]
        return decoded

    @cached_property
    def _on_devices(self) -> Any | None:
        return on_devices(self._index)


def _check_rows(index: Any, rows: int, path: Path) -> None:
    """Raise ValueError unless the lists contain every row below `rows` and no other."""
    lists, seen = index.invlists, np.zeros(rows, dtype=np.bool_)
    for number in range(index.nlist):
        size = lists.list_size(number)
        if size:
            here = faiss().rev_swig_ptr(lists.get_ids(number), size)
            if here.min() < 0 or here.max() >= rows:
                raise ValueError(
                    f"row numbers in list {number} of {path.name} must be from 0 to {rows - 1}, "
                    f"got {here.min()} to {here.max()}"
                )
            seen[here] = True
    if not seen.all():
        raise ValueError(
            f"every row from 0 to {rows - 1} must be in a list of {path.name}, "
            f"but row {int(seen.argmin())} is in no list"
        )


def _sampled(lists: int) -> int:
    return max(_FITTED, coarse.TRAINED * lists)


def _replicas(storage: VectorStorage, lists: int) -> int:
    return min(settings(storage, IvfConfig).lists_of_each(storage.used_codec), lists)


def _new_index(quantizer: Any, storage: VectorStorage, *, plain: bool) -> Any:
    """Return an empty FAISS index.

    RaBitQ encodes a vector relative to the centre of its list. All other codecs encode the vector
    itself: a query then needs one table of distances for all lists, and the measured recall is
    equal.

    plain: True: do not use the FastScan layout for PQ codes, because vectors cannot be added to
    chosen lists in this layout.
    """
    library, codec = faiss(), storage.held_codec
    width, lists, metric = quantizer.d, quantizer.ntotal, library.METRIC_INNER_PRODUCT
    match codec:
        case PqCodec(bits=4) if not plain:
            pieces = codec.pieces(width)
            index = library.IndexIVFPQFastScan(quantizer, width, lists, pieces, 4, metric)
        case PqCodec():
            pieces = codec.pieces(width)
            index = library.IndexIVFPQ(quantizer, width, lists, pieces, codec.bits, metric)
        case RabitqCodec():
            return library.IndexIVFRaBitQFastScan(
                quantizer, width, lists, metric, 32, True, codec.bits
            )
        case _ if codec.kind == "float32":
            index = library.IndexIVFFlat(quantizer, width, lists, metric)
        case _:
            kind = faiss_calls.scalar_type(codec)
            index = library.IndexIVFScalarQuantizer(quantizer, width, lists, kind, metric, False)
    index.by_residual = False
    return index


def _code_bytes(storage: VectorStorage, width: int) -> int:
    """Return the approximate bytes of the code of a vector with `width` dimensions."""
    codec = storage.held_codec
    match codec:
        case PqCodec():
            return codec.pieces(width) * codec.bits // 8 + 1
        case RabitqCodec():
            return width * codec.bits // 8 + 16
        case _:
            return width * FAISS_BITS[codec.kind] // 8
