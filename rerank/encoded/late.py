"""Late interaction at query time (ColBERT, Khattab and Zaharia, SIGIR 2020).

    score(q, d) = sum over the vectors of q of  (greatest inner product with a vector of d)

For documents of a collection, the reranker kind "leg" with a late-interaction leg is faster,
because the leg stores the vectors of the documents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...core import Role
from ...encoders import LateEncoderConfig, LateFields, TokenEncoder, load_token_encoder
from ..config import RERANKERS, RerankerConfig
from ..scoring import Question, Scored, ScoringReranker
from .base import Encoded, EncodedJudge

SHOWN = 5
"""Number of token pairs in the reasons: the pairs that add most to the score."""


@RERANKERS.register
class LateInteractionConfig(LateFields, RerankerConfig):
    """Late interaction (MaxSim, ColBERT) over token vectors that are computed at query time. For
    texts in a collection, the reranker kind "leg" is faster: it reads the token vectors that a
    late-interaction leg stores.

    The fields are those of `LateEncoderConfig`.
    """

    made_by = ".late:LateInteractionReranker"
    scores_texts = True

    kind: Literal["late"] = "late"


@dataclass(frozen=True, slots=True)
class TokenVectors:
    """The vectors of a text's n tokens.

    vectors: float16 or float32 [n, dimensions].
    tokens:  text of each token; () if the encoder does not return the texts.
    """

    vectors: NDArray[np.float16] | NDArray[np.float32]
    tokens: Sequence[str]


class TokenReader:
    """A `Reader` that returns token vectors: float16 for passages, float32 for queries."""

    def __init__(self, encoder: TokenEncoder) -> None:
        self._encoder = encoder

    def encode(self, texts: Sequence[str], role: Role) -> list[Encoded[TokenVectors]]:
        """Return the token vectors of each text; see `Reader.encode`."""
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
        """Return the number of tokens of each text; see `Reader.tokens`."""
        return self._encoder.count_tokens(texts, role=role)

    def size(self, value: TokenVectors) -> int:
        """Return the estimated size in bytes: the vectors, and 64 bytes for each token's text."""
        return value.vectors.nbytes + 64 * len(value.tokens)

    def score(self, query: TokenVectors, text: TokenVectors) -> Scored:
        """Return the MaxSim of query and text, with the best pairs of tokens as reasons."""
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


class LateInteractionReranker(ScoringReranker[Question, Scored]):
    """Reranks by MaxSim over the token vectors of query and passage. Thread-safe.

    The module docstring defines MaxSim. The reasons of a hit have `matches`: the query tokens that
    add most to the score, each with the nearest token of the passage. Raises ModelError if the
    model cannot be found, read or used.
    """

    kind = "late"

    def __init__(self, config: LateInteractionConfig, encoder: TokenEncoder | None = None) -> None:
        """Create a reranker.

        encoder: encoder of token vectors; None: load the one that `config` describes.
        """
        own = {name: getattr(config, name) for name in LateFields.model_fields}
        encoder = encoder or load_token_encoder(LateEncoderConfig(**own))
        judge = EncodedJudge(TokenReader(encoder))
        super().__init__(judge, Question, lambda answer: answer, part=config.text)
