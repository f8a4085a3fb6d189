"""TILDEv2 without a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ...core import ConfigError, Representation, Role
from ...llm.fake import NAME
from ..fake import VOCABULARY, Fake, digest, reader, words_of
from ..protocol import TokenReader
from ..pruning import weights_of
from .config import TildeEncoderConfig


class FakeTildeEncoder(Fake[TildeEncoderConfig]):
    """Each word weighs log(1 + 1 / its first place); a query's words weigh their number.

    Places are those of FakeSparseEncoder. It expands nothing.
    """

    def __init__(self, config: TildeEncoderConfig | None = None) -> None:
        super().__init__(config or TildeEncoderConfig(model=NAME))
        if self.config.expansion:
            raise ConfigError('"fake" has no head to expand with', field="expansion")

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
        rows: list[dict[int, float]] = []
        truncated = np.zeros(len(texts), np.bool_)
        for number, text in enumerate(texts):
            limit = None if role == "query" else self.config.max_length
            words, truncated[number] = words_of(text, limit)
            row: dict[int, float] = {}
            for place, word in enumerate(words):
                index = digest(word) % VOCABULARY
                if role == "query":
                    row[index] = row.get(index, 0.0) + 1
                else:
                    row[index] = max(row.get(index, 0.0), float(np.log1p(1 / (place + 1))))
            rows.append(row)
            if advance is not None:
                advance(1)
        return Representation(sparse=weights_of(rows, VOCABULARY), truncated=truncated)

    def count_tokens(self, texts: Sequence[str], *, role: Role) -> list[int]:
        """See CountingEncoder: words."""
        if role == "query":
            return [0] * len(texts)
        return [max(1, len(words_of(text, self.config.max_length)[0])) for text in texts]
