"""A late encoder without a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ...core import Representation, Role
from ...llm.fake import NAME
from ..fake import DIMENSIONS, Fake, reader, signs, words_of
from ..protocol import TokenReader
from .config import LateEncoderConfig
from .vectors import joined


class FakeLateEncoder(Fake[LateEncoderConfig]):
    """A vector of length 1 for each word: its 64 signs, and an eighth of those of the word before.

    An empty text is the word "". `pooling` merges so many neighbours.
    """

    dimensions = DIMENSIONS

    def __init__(self, config: LateEncoderConfig | None = None) -> None:
        super().__init__(config or LateEncoderConfig(model=NAME))

    @property
    def reader(self) -> TokenReader | None:
        """What cutting by tokens needs; None without a limit."""
        return reader(self.config.document_prompt or "", self.config.document_length)

    def encode(
        self,
        texts: Sequence[str],
        *,
        role: Role,
        advance: Callable[[int], None] | None = None,
    ) -> Representation:
        return self.encode_tokens(texts, role=role, advance=advance)[0]

    def encode_tokens(
        self,
        texts: Sequence[str],
        *,
        role: Role,
        advance: Callable[[int], None] | None = None,
    ) -> tuple[Representation, list[list[str]]]:
        """See TokenEncoder."""
        query = role == "query"
        prompt = (self.config.query_prompt if query else self.config.document_prompt) or ""
        limit = self.config.query_length if query else self.config.document_length
        vectors, names = [], []
        truncated = np.zeros(len(texts), np.bool_)
        for row, text in enumerate(texts):
            words, truncated[row] = words_of(prompt + text, limit)
            words = words or [""]
            found = np.stack([signs(word) for word in words])
            found[1:] += found[:-1] / 8
            merged = 1 if query else round(self.config.pooling)
            if merged > 1:
                starts = np.arange(0, len(found), merged)
                found, words = np.add.reduceat(found, starts, axis=0), []
            found /= np.linalg.norm(found, axis=1, keepdims=True)
            vectors.append(found.astype(np.float16).astype(np.float32))
            names.append(words)
            if advance is not None:
                advance(1)
        return joined(vectors, truncated, DIMENSIONS), names

    def count_tokens(self, texts: Sequence[str], *, role: Role) -> list[int]:
        """See CountingEncoder: words."""
        query = role == "query"
        prompt = (self.config.query_prompt if query else self.config.document_prompt) or ""
        limit = self.config.query_length if query else self.config.document_length
        return [max(1, len(words_of(prompt + text, limit)[0])) for text in texts]
