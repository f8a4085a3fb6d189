"""A dense encoder without a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ...core import Representation, Role
from ...llm.fake import NAME
from ..fake import DIMENSIONS, Fake, reader, signs, words_of
from ..protocol import TokenReader
from .config import DenseEncoderConfig


class FakeDenseEncoder(Fake[DenseEncoderConfig]):
    """Bag of words: each word adds a fixed vector of 64 signs, drawn from its hash."""

    def __init__(self, config: DenseEncoderConfig | None = None) -> None:
        super().__init__(config or DenseEncoderConfig(model=NAME))

    @property
    def reader(self) -> TokenReader | None:
        """What cutting by tokens needs; None without a limit."""
        return reader(self.config.document_prompt or "", self.config.max_length)

    def encode(
        self,
        texts: Sequence[str],
        *,
        role: Role,
        advance: Callable[[int], None] | None = None,
    ) -> Representation:
        prompt = self.config.query_prompt if role == "query" else self.config.document_prompt
        prompt = prompt or ""
        dense = np.zeros((len(texts), DIMENSIONS), np.float32)
        truncated = np.zeros(len(texts), np.bool_)
        for row, text in enumerate(texts):
            words, truncated[row] = words_of(prompt + text, self.config.max_length)
            for word in words:
                dense[row] += signs(word)
            if self.config.normalize and (length := np.linalg.norm(dense[row])) > 0:
                dense[row] /= length
            if advance is not None:
                advance(1)
        return Representation(dense=dense, truncated=truncated)
