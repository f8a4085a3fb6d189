"""Adds passages that a model wrote to the query of a leg.

q is the representation of the query, and p_1 to p_n are those of the passages. A leg searches:

    dense, "mean":     (q + p_1 + ... + p_n) / (n + 1), scaled to the length of q
    dense, "append":   the representation of the text "query passage"
    lexical, sparse:   r q + p_1 + ... + p_n, scaled to the sum of q's weights

r is `Use.repeat`. Scaling keeps the order of the documents, and the range of their scores. Of the
terms that only passages have, the `TERMS` heaviest are kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ...core import Representation, Usage, add_usages
from ...encoders import EncoderConfig
from ...generate.rewriting import Use
from ...index import CollectionConfig, DenseLeg, LexicalLeg
from ..encoding.queries import QueryEncoder
from ..feedback import moved
from ..request import SearchRequest

TERMS = 500
"""Maximum number of terms that passages add to the query of a leg."""

LONG = 6
"""MuGI: a query counts once more for every 6 times that the passages are as long as the query."""


class Combination:
    """The legs' queries, to which passages were added, and what happened in each leg.

    queries: leg -> query with the passages. A leg without an entry keeps its query.
    notes:   for each leg, a sentence about what was done, and the warnings of its encoder.
    usage:   usage of the encoders that read the passages.
    """

    def __init__(self) -> None:
        self.queries: dict[str, Representation] = {}
        self.notes: list[str] = []
        self.usage: Usage | None = None


def combine(
    config: CollectionConfig,
    encoder: QueryEncoder,
    request: SearchRequest,
    queries: Mapping[str, Representation],
    texts: Sequence[str],
    use: Use,
) -> Combination:
    """Add passages to the queries of legs.

    queries: leg -> encoded query of the request.
    texts:   the passages, at least one.
    use:     how the passages are added, that is, the formula and how often the query counts.

    A leg keeps its query if it encodes no text, or if it has several vectors for a text. A leg also
    keeps its query if the request has a vector for this leg. But "mean" adds the passages to such a
    vector of a dense leg.
    """
    found = Combination()
    assert request.query is not None, "the request has `rewrite`"
    repeat = repeats(request.query, texts) if use.repeat is None else use.repeat
    count = f"{len(texts)} passage{'' if len(texts) == 1 else 's'}"
    for name, query in queries.items():
        leg = config.legs[name]
        reason = _reason(config, name, use, brought=name in request.vectors)
        if reason:
            found.notes.append(f"{name}: the query as it is, because {reason}")
        elif isinstance(leg, DenseLeg) and use.how == "mean":
            assert query.dense is not None, "the leg is dense"
            vectors = _passages(encoder, name, leg.encoder, request, texts, found)
            assert vectors[0].dense is not None, "the leg is dense"
            rows = np.concatenate([one.dense for one in vectors if one.dense is not None])
            vector = moved(query.dense[0], rows, None)
            found.queries[name] = Representation(dense=vector[None, :])
            found.notes.append(f"{name}: mean of the vectors of the query and {count}")
        elif isinstance(leg, DenseLeg):
            text = " ".join([request.query, *texts])
            found.queries[name] = _encoded(encoder, name, request, text, found)
            found.notes.append(f"{name}: the query and {count} as one text")
        elif isinstance(leg, LexicalLeg):
            assert query.terms is not None, "the leg is lexical"
            counts = [_encoded(encoder, name, request, text, found).terms for text in texts]
            maps = [one[0] for one in counts if one is not None]
            found.queries[name] = Representation(terms=[summed(query.terms[0], maps, repeat)])
            found.notes.append(f"{name}: {repeat} x terms of the query and terms of {count}")
        else:
            rows_ = _passages(encoder, name, leg.encoder, request, texts, found)
            weights = summed(
                _weights(query)[0], [w for one in rows_ for w in _weights(one)], repeat
            )
            found.queries[name] = encoder.sparse_query(
                name, {int(term): value for term, value in weights.items()}
            )
            found.notes.append(f"{name}: {repeat} x terms of the query and terms of {count}")
    return found


def repeats(query: str, texts: Sequence[str]) -> int:
    """Return the weight of a query if each passage has the weight 1, by the rule of MuGI.

        max(1, (words of all passages // words of the query) // 6)

    Source: Zhang et al. 2024.
    """
    words = sum(len(text.split()) for text in texts)
    return max(1, words // max(1, len(query.split())) // LONG)


def summed(
    query: Mapping[str, float], passages: Sequence[Mapping[str, float]], repeat: int
) -> dict[str, float]:
    """Return repeat * query + the sum of the passages, scaled to the sum of the query's weights.

    All terms of the query are kept, and the `TERMS` heaviest of the other terms. The sum is not
    scaled if the query has no terms.
    """
    added: dict[str, float] = {}
    for passage in passages:
        for term, weight in passage.items():
            added[term] = added.get(term, 0.0) + float(weight)
    own = {term: repeat * float(weight) + added.pop(term, 0.0) for term, weight in query.items()}
    heaviest = sorted(added.items(), key=lambda item: (-item[1], item[0]))[:TERMS]
    found = own | dict(heaviest)
    total, wanted = sum(found.values()), sum(map(float, query.values()))
    scale = wanted / total if wanted > 0 and total > 0 else 1.0
    return {term: scale * weight for term, weight in found.items()}


def _reason(config: CollectionConfig, name: str, use: Use, *, brought: bool) -> str:
    """Return why a leg keeps its query; "" if passages can be added to it.

    brought: True if the request has a vector for the leg.
    """
    leg = config.legs[name]
    if not leg.encoder.encodes_text:
        return "the leg encodes no text"
    if leg.multi:
        return "the leg has several vectors for a text"
    if brought and not (isinstance(leg, DenseLeg) and use.how == "mean"):
        return "the request has a vector for the leg"
    return ""


def _encoded(
    encoder: QueryEncoder, name: str, request: SearchRequest, text: str, found: Combination
) -> Representation:
    """Encode a text as a query of a leg."""
    changed = request.model_copy(update={"query": text, "vectors": {}})
    encoded = encoder.encode([name], changed)
    found.usage = add_usages(found.usage, encoded.usage)
    found.notes += encoded.warnings
    return encoded.legs[0]


def _passages(
    encoder: QueryEncoder,
    name: str,
    config: EncoderConfig,
    request: SearchRequest,
    texts: Sequence[str],
    found: Combination,
) -> list[Representation]:
    """Encode texts as documents of a leg.

    If the leg's encoder of documents reads no text, encodes them as queries.
    """
    documents: EncoderConfig = getattr(config, "documents", config)
    if not documents.encodes_text:
        return [_encoded(encoder, name, request, text, found) for text in texts]
    encoded = encoder.encode_passages(name, texts)
    found.usage = add_usages(found.usage, encoded.usage)
    return [encoded]


def _weights(value: Representation) -> list[dict[str, float]]:
    """Return for each row of a sparse matrix: column, as a string -> weight."""
    matrix = value.sparse
    assert matrix is not None, "the leg is sparse"
    rows = [matrix[[i]] for i in range(matrix.shape[0])]
    return [{str(i): float(w) for i, w in zip(row.indices, row.data, strict=True)} for row in rows]
