"""A dense encoder without a model, for tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...core import Representation, Role
from ...llm.fake import NAME
from ..fake import DIMENSIONS, Fake, signs
from .config import DenseEncoderConfig


class FakeDenseEncoder(Fake[DenseEncoderConfig]):
    """A bag-of-words encoder without a model, for tests.

    A text's vector is the sum of its words' vectors, scaled to length 1 if `normalize` is set. A
    word's vector is 64 numbers that are each -1 or 1, computed from the word's hash.
    """

    dimensions = DIMENSIONS

    def __init__(self, config: DenseEncoderConfig | None = None) -> None:
        config = config or DenseEncoderConfig(model=NAME)
        super().__init__(config, {"query": config.max_length, "document": config.max_length})

    def _encode_words(
        self, texts: Sequence[list[str]], truncated: NDArray[np.bool_], role: Role
    ) -> Representation:
        dense = np.zeros((len(texts), DIMENSIONS), np.float32)
        for row, words in enumerate(texts):
            for word in words:
                dense[row] += signs(word)
            if self.config.normalize and (length := np.linalg.norm(dense[row])) > 0:
                dense[row] /= length
        return Representation(dense=dense, truncated=truncated)
