"""TILDEv2 without a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ...core import ConfigError, Representation, Role
from ...llm.fake import NAME
from ..fake import VOCABULARY, Fake, place
from ..pruning import weights_of
from .config import TildeEncoderConfig


class FakeTildeEncoder(Fake[TildeEncoderConfig]):
    """Each word weighs log(1 + 1 / its first place); a query's words weigh their number.

    Places are those of FakeSparseEncoder. It expands nothing.
    """

    def __init__(self, config: TildeEncoderConfig | None = None) -> None:
        config = config or TildeEncoderConfig(model=NAME)
        super().__init__(config, {"query": None, "document": config.max_length})
        if config.expansion:
            raise ConfigError('"fake" has no head to expand with', field="expansion")

    def count_tokens(self, texts: Sequence[str], *, role: Role) -> list[int]:
        """See CountingEncoder: words."""
        if role == "query":
            return [0] * len(texts)
        return [max(1, len(words)) for words in self._read(texts, role)[0]]

    def _represented(
        self, texts: Sequence[list[str]], truncated: NDArray[np.bool_], role: Role
    ) -> Representation:
        rows: list[Mapping[int, float]] = []
        for words in texts:
            row: dict[int, float] = {}
            for number, index in enumerate(map(place, words), 1):
                if role == "query":
                    row[index] = row.get(index, 0.0) + 1
                else:
                    row.setdefault(index, float(np.log1p(1 / number)))
            rows.append(row)
        return Representation(sparse=weights_of(rows, VOCABULARY), truncated=truncated)
