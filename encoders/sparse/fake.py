"""A sparse encoder without a model, for tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...core import Representation, Role
from ...llm.fake import NAME
from ..fake import VOCABULARY, Fake, word_index
from ..pruning import keep_heaviest, weights_of
from .config import SparseEncoderConfig


class FakeSparseEncoder(Fake[SparseEncoderConfig]):
    """A fake sparse encoder: a word's weight is log(1 + its number of occurrences in the text).

    A word's index is its hash modulo 2**15.
    """

    dimensions = VOCABULARY

    def __init__(self, config: SparseEncoderConfig | None = None) -> None:
        config = config or SparseEncoderConfig(model=NAME)
        super().__init__(config, {"query": config.max_length, "document": config.max_length})

    def _encode_words(
        self, texts: Sequence[list[str]], truncated: NDArray[np.bool_], role: Role
    ) -> Representation:
        counts = [Counter(map(word_index, words)) for words in texts]
        rows = weights_of(counts, VOCABULARY).log1p()
        top = self.config.query_top_terms if role == "query" else self.config.top_terms
        return Representation(sparse=keep_heaviest(rows, top), truncated=truncated)
