"""The result of encoding a batch of texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .types import TermWeights, Usage

if TYPE_CHECKING:  # scipy takes longer to import than everything else in a lexical search.
    from scipy.sparse import csr_array


@dataclass(frozen=True, slots=True)
class Representation:
    """A batch of n encoded texts. Every field is optional.

    dense:   float32 [n, d].
    sparse:  CSR float32 [n, vocabulary], weights >= 0, column indices sorted in each row.
    terms:   for each text, a map from each term to its frequency in the text. An analyzer produces
             the terms, and BM25 uses the frequencies. Terms are strings, not positions in a fixed
             vocabulary. In an expanded query, the numbers are weights and need not be integers.
    truncated: bool [n], True if the encoder did not read the text to its end.
    offsets: int64 [n + 1] if a text can have several vectors, else None. The vectors of text i are
             the rows offsets[i] to offsets[i + 1] (exclusive) of `dense` and `sparse`. Each text
             has at least one row, and these matrices have offsets[n] rows instead of n.
    usage:   language model usage of the batch. None if no language model ran.
    """

    dense: NDArray[np.float32] | None = None
    sparse: csr_array | None = None
    terms: Sequence[TermWeights] | None = None
    truncated: NDArray[np.bool_] | None = None
    offsets: NDArray[np.int64] | None = None
    usage: Usage | None = None

    def __len__(self) -> int:
        if self.offsets is not None:
            return len(self.offsets) - 1
        for part in (self.dense, self.sparse):
            if part is not None:
                return int(part.shape[0])
        return len(self.terms) if self.terms is not None else 0

    def at(self, i: int) -> Representation:
        """Return the encoding of text i alone, with all its vectors and without `usage`."""
        first, last = (i, i + 1) if self.offsets is None else self.offsets[i : i + 2].tolist()
        return Representation(
            dense=None if self.dense is None else self.dense[first:last],
            sparse=None if self.sparse is None else self.sparse[first:last],
            terms=None if self.terms is None else [self.terms[i]],
            truncated=None if self.truncated is None else self.truncated[i : i + 1],
            offsets=None if self.offsets is None else np.array([0, last - first]),
        )
