"""TILDEv2 (Zhuang and Zuccon, 2021) with passages encoded at query time.

TILDEv2 is an encoder that weights the terms that occur in a passage. For documents of a collection,
the reranker kind "leg" with a leg of this encoder is faster: it only looks up stored weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ...core import Role
from ...encoders import CountingEncoder, TildeEncoderConfig, TildeFields, load_tilde_encoder
from ..config import RERANKERS, RerankerConfig
from ..scoring import Question, Scored, ScoringReranker
from .base import Encoded, EncodedJudge

SHOWN = 10
"""Number of terms in the reasons: the terms that add most to the score."""


@RERANKERS.register
class TildeConfig(TildeFields, RerankerConfig):
    """TILDEv2 (Zhuang and Zuccon, 2021): weights of the query's terms in passages that are encoded
    at query time. For texts in a collection, the reranker kind "leg" is faster: it reads the
    weights that a leg with the encoder "tilde" stores.

    The fields are those of `TildeEncoderConfig`.
    """

    made_by = ".tilde:TildeReranker"
    scores_texts = True

    kind: Literal["tilde"] = "tilde"


Weights = dict[int, float]
"""Vocabulary index of a term -> its weight."""


class WeightReader:
    """A `Reader` whose representations are term weights. Encoding a query requires no model."""

    def __init__(self, encoder: CountingEncoder) -> None:
        self._encoder = encoder

    def encode(self, texts: Sequence[str], role: Role) -> list[Encoded[Weights]]:
        """Return the term weights of each text; see `Reader.encode`."""
        found = self._encoder.encode(texts, role=role)
        assert found.sparse is not None, "a TILDE encoder gives sparse vectors"
        assert found.truncated is not None, "a TILDE encoder says what it cut"
        bounds = found.sparse.indptr.tolist()
        indices, data = found.sparse.indices.tolist(), found.sparse.data.tolist()
        return [
            Encoded(dict(zip(indices[first:last], data[first:last], strict=True)), count, bool(cut))
            for first, last, count, cut in zip(
                bounds[:-1], bounds[1:], self.tokens(texts, role), found.truncated, strict=True
            )
        ]

    def tokens(self, texts: Sequence[str], role: Role) -> list[int]:
        """Return the number of tokens of each passage, or zeros if the texts are queries."""
        return [0] * len(texts) if role == "query" else self._encoder.count_tokens(texts, role=role)

    def size(self, value: Weights) -> int:
        """Return the estimated size of a text's term weights: 100 bytes for each term."""
        return 100 * len(value)

    def score(self, query: Weights, text: Weights) -> Scored:
        """Return the inner product of the weights of query and text."""
        shares = [(term, count * text[term]) for term, count in query.items() if term in text]
        shares.sort(key=lambda share: -share[1])
        terms = [
            {"term": self._encoder.term(term), "score": round(share, 4)}
            for term, share in shares[:SHOWN]
        ]
        return Scored(float(sum(share for _, share in shares)), {"terms": terms})


class TildeReranker(ScoringReranker[Question, Scored]):
    """Reranks by the TILDEv2 weights of the query's tokens in each passage. Thread-safe.

    The reasons of a hit have `terms`: the query tokens that add most to the score, each with its
    share of the score. Raises ModelError if the model cannot be found, read or used.
    """

    kind = "tilde"

    def __init__(self, config: TildeConfig, encoder: CountingEncoder | None = None) -> None:
        """Create a reranker.

        encoder: a TILDEv2 encoder; None: load the one that `config` describes.
        """
        own = {name: getattr(config, name) for name in TildeFields.model_fields}
        encoder = encoder or load_tilde_encoder(TildeEncoderConfig(**own))
        judge = EncodedJudge(WeightReader(encoder))
        super().__init__(judge, Question, lambda answer: answer, part=config.text)
