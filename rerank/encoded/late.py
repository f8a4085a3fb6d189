"""Late interaction for texts that are not stored (ColBERT, Khattab and Zaharia, SIGIR 2020).

    score(q, d) = sum over the vectors of q of the greatest inner product with a vector of d

For the documents of a collection a stored leg (kind "leg") saves encoding them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...core import Role
from ...encoders import LateEncoderConfig, TokenEncoder, load_token_encoder
from ..config import Budget, LateInteractionConfig
from ..placing import Placing
from ..protocol import Needs, Reranked, Task
from .base import Encoded, EncodedJudge, Question, Scored, by_score

SHOWN = 5
"""Pairs of tokens in the reasons: those that add most to the score."""


class LateInteractionReranker:
    """Orders hits by MaxSim over token vectors. Thread-safe.

    Reasons: `matches`, the tokens of the query that add most to the score, each with the token of
    the passage nearest to it. Raises ModelError when the model cannot be found, read or used.
    """

    kind = "late"
    needs = Needs()

    def __init__(self, config: LateInteractionConfig, encoder: TokenEncoder | None = None) -> None:
        """encoder: None = that of the configuration is loaded."""
        self.config = config
        self._placing: Placing[Question, Scored] = Placing(
            EncodedJudge(TokenReader(encoder or load_token_encoder(_encoder(config))))
        )

    def rerank(self, tasks: Sequence[Task], budget: Budget | None = None) -> list[Reranked]:
        """See Reranker."""
        part = self.config.text
        return self._placing.rerank(
            tasks, lambda task: by_score(task, lambda one: one.read(part)), budget
        )


@dataclass(frozen=True, slots=True)
class TokenVectors:
    """The vectors of a text, float16 or float32 [n, d], and their tokens, () if not known."""

    vectors: NDArray[np.float16] | NDArray[np.float32]
    tokens: Sequence[str]


class TokenReader:
    """A Reader of token vectors: those of passages in half the bytes, which loses nothing."""

    def __init__(self, encoder: TokenEncoder) -> None:
        self._encoder = encoder

    def encode(self, texts: Sequence[str], role: Role) -> list[Encoded[TokenVectors]]:
        """See Reader."""
        found, names = self._encoder.encode_tokens(texts, role=role)
        assert found.dense is not None, "a late encoder gives dense vectors"
        assert found.offsets is not None, "a late encoder gives several of them"
        assert found.truncated is not None, "a late encoder says what it cut"
        kept = np.float16 if role == "document" else np.float32
        pieces = np.split(found.dense.astype(kept), found.offsets[1:-1])
        return [
            Encoded(TokenVectors(own.copy(), tokens), count, bool(cut))
            for own, tokens, count, cut in zip(
                pieces, names, self.tokens(texts, role), found.truncated, strict=True
            )
        ]

    def tokens(self, texts: Sequence[str], role: Role) -> list[int]:
        """See Reader."""
        return self._encoder.count_tokens(texts, role=role)

    def size(self, value: TokenVectors) -> int:
        """See Reader."""
        return value.vectors.nbytes + 64 * len(value.tokens)

    def score(self, query: TokenVectors, text: TokenVectors) -> Scored:
        """See Reader."""
        products = query.vectors.astype(np.float32) @ text.vectors.astype(np.float32).T
        best = products.argmax(axis=1)
        values = products[np.arange(len(best)), best]
        matches = [
            {
                "query": query.tokens[i],
                "passage": text.tokens[int(best[i])],
                "score": round(float(values[i]), 4),
            }
            for i in np.argsort(-values, kind="stable").tolist()
            if query.tokens and text.tokens
        ]
        return Scored(float(values.sum()), {"matches": matches[:SHOWN]} if matches else {})


def _encoder(config: LateInteractionConfig) -> LateEncoderConfig:
    """All fields of the encoder but its kind are fields of the reranker too."""
    fields = set(LateEncoderConfig.model_fields) & set(type(config).model_fields) - {"kind"}
    return LateEncoderConfig(**{name: getattr(config, name) for name in fields})
