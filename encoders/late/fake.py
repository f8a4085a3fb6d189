"""A late-interaction encoder without a model, for tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...core import Representation, Role
from ...llm.fake import NAME
from ..fake import DIMENSIONS, Fake, signs
from .config import LateEncoderConfig
from .vectors import concatenate


class FakeLateEncoder(Fake[LateEncoderConfig]):
    """A fake late-interaction encoder: one vector of length 1 for each word.

    A word's vector is its 64 `signs` plus an eighth of the previous word's signs, scaled to length
    1. An empty text counts as the word "". In passages, groups of adjacent vectors are merged into
    one vector. The size of a group is `pooling`, rounded.
    """

    dimensions = DIMENSIONS

    def __init__(self, config: LateEncoderConfig | None = None) -> None:
        config = config or LateEncoderConfig(model=NAME)
        super().__init__(config, {"query": config.query_length, "document": config.document_length})

    def encode_tokens(
        self, texts: Sequence[str], *, role: Role
    ) -> tuple[Representation, list[list[str]]]:
        """Return the vectors of the words of `texts`, and the words. See TokenEncoder."""
        words, truncated = self._read(texts, role)
        merged = role == "document" and round(self.config.pooling) > 1
        names = [[] if merged else own or [""] for own in words]
        return self._encode_words(words, truncated, role), names

    def count_tokens(self, texts: Sequence[str], *, role: Role) -> list[int]:
        """Return the number of words of each text, at least 1. See CountingEncoder."""
        return [max(1, len(words)) for words in self._read(texts, role)[0]]

    def _encode_words(
        self, texts: Sequence[list[str]], truncated: NDArray[np.bool_], role: Role
    ) -> Representation:
        merged = 1 if role == "query" else round(self.config.pooling)
        vectors = []
        for words in texts:
            found = np.stack([signs(word) for word in words or [""]])
            found[1:] += found[:-1] / 8
            if merged > 1:
                found = np.add.reduceat(found, np.arange(0, len(found), merged), axis=0)
            found /= np.linalg.norm(found, axis=1, keepdims=True)
            vectors.append(found.astype(np.float16).astype(np.float32))
        return concatenate(vectors, truncated, DIMENSIONS)
