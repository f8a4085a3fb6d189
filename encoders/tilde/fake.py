"""A TILDEv2 encoder without a model, for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ...core import ConfigError, Representation, Role
from ...llm.fake import NAME
from ..fake import VOCABULARY, Fake, word_index
from ..pruning import weights_of
from .config import TildeEncoderConfig


class FakeTildeEncoder(Fake[TildeEncoderConfig]):
    """A fake TILDEv2 encoder. It does not support expansion.

    In a passage, a word's weight is log(1 + 1 / p), where p is the position (from 1) of its first
    occurrence. In a query, it is the word's count. A word has the same index as in
    FakeSparseEncoder.
    """

    dimensions = VOCABULARY

    def __init__(self, config: TildeEncoderConfig | None = None) -> None:
        config = config or TildeEncoderConfig(model=NAME)
        super().__init__(config, {"query": None, "document": config.max_length})
        if config.expansion:
            raise ConfigError(
                f'must be 0 for the model "fake", got {config.expansion}', field="expansion"
            )

    def count_tokens(self, texts: Sequence[str], *, role: Role) -> list[int]:
        """Return the number of words of each passage, at least 1; 0 for queries.

        See CountingEncoder.
        """
        if role == "query":
            return [0] * len(texts)
        return [max(1, len(words)) for words in self._read(texts, role)[0]]

    def _encode_words(
        self, texts: Sequence[list[str]], truncated: NDArray[np.bool_], role: Role
    ) -> Representation:
        rows: list[Mapping[int, float]] = []
        for words in texts:
            row: dict[int, float] = {}
            for number, index in enumerate(map(word_index, words), 1):
                if role == "query":
                    row[index] = row.get(index, 0.0) + 1
                else:
                    row.setdefault(index, float(np.log1p(1 / number)))
            rows.append(row)
        return Representation(sparse=weights_of(rows, VOCABULARY), truncated=truncated)
