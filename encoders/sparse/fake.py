"""A learned sparse encoder without a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from scipy.sparse import csr_array

from ...core import Representation, Role
from ...llm.fake import NAME
from ..fake import VOCABULARY, Fake, digest, reader, words_of
from ..protocol import TokenReader
from ..pruning import keep_heaviest
from .config import SparseEncoderConfig


class FakeSparseEncoder(Fake[SparseEncoderConfig]):
    """Each word weighs log(1 + its frequency), at a place in 2**15 drawn from its hash."""

    def __init__(self, config: SparseEncoderConfig | None = None) -> None:
        super().__init__(config or SparseEncoderConfig(model=NAME))

    @property
    def reader(self) -> TokenReader | None:
        """What cutting by tokens needs; None without a limit."""
        return reader("", self.config.max_length)

    def encode(
        self,
        texts: Sequence[str],
        *,
        role: Role,
        advance: Callable[[int], None] | None = None,
    ) -> Representation:
        indices: list[int] = []
        counts: list[int] = []
        indptr = [0]
        truncated = np.zeros(len(texts), np.bool_)
        for row, text in enumerate(texts):
            words, truncated[row] = words_of(text, self.config.max_length)
            places = sorted(Counter(digest(word) % VOCABULARY for word in words).items())
            indices.extend(index for index, _ in places)
            counts.extend(count for _, count in places)
            indptr.append(len(indices))
            if advance is not None:
                advance(1)
        weights = np.log1p(np.asarray(counts, np.float32))
        rows = csr_array(
            (weights, np.asarray(indices, np.int32), np.asarray(indptr, np.int32)),
            shape=(len(texts), VOCABULARY),
        )
        top = self.config.query_top_terms if role == "query" else self.config.top_terms
        return Representation(sparse=keep_heaviest(rows, top), truncated=truncated)
