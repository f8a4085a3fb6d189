"""Pseudo-relevance feedback in a search: expands the queries of its legs from the best documents.

The best passages of the first fused list are the feedback. Near-copies among them count once. A
term is not added to the query of a lexical leg if more than a tenth of all passages contain it, or
if it has fewer than 2 or more than 20 characters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ...core import ModelError, QueryStage, Representation, TermWeight, TopTerms, Usage, add_usages
from ...index import DenseLeg, ExplainingView, Handles, LexicalLeg, VectorView, View, heaviest_first
from ..feedback import bo1, kl, moved, rm3, rocchio
from ..stages import DenseFeedback, LexicalFeedback, SparseFeedback
from .passages import FoundPassage, read_passages, without_copies
from .planning import EncodedPlan
from .predicting import SearchPredictors
from .results import Leg

NAME = "feedback"
"""Name of the stage, and of its time in `timings`."""

COMMON = 0.1
"""Maximum share of all passages that contain an added term of a lexical leg."""

LONGEST = 20
"""Maximum number of characters of an added term of a lexical leg."""

SHOWN = 20
"""Maximum number of terms of an expanded query that a result lists."""

READ = 3
"""Documents that are read for each document that feedback uses, because some are near-copies."""

DEPTH = READ * 100
"""Maximum number of documents that feedback reads."""

_MIXED = {"rm3": 0.5, "rocchio": 0.75 / 1.75, "bo1": 0.5, "kl": 0.5}
"""Default weight of the added terms. Rocchio: 1 for the query and 0.75 for the passages."""

_FEW = {"rm3": 10, "rocchio": 10, "bo1": 3, "kl": 3}
"""Default number of documents for lexical legs."""

_DENSE = {"rocchio": 5, "average": 3}
"""Default number of documents for dense legs."""

_MOVED = 0.6
"""Default weight of the passages in Rocchio's formula on dense vectors."""


@dataclass(slots=True)
class _Done:
    """What the stage did: expanded queries by leg, and the parts of its QueryStage."""

    queries: dict[str, Representation] = field(default_factory=dict)
    terms: dict[str, TopTerms] = field(default_factory=dict)
    documents: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    usage: Usage | None = None


class _SkippedError(Exception):
    """Feedback does not apply to this query. The message is the reason."""


def expand(
    view: View,
    encoded: EncodedPlan,
    legs: Sequence[Leg],
    numbers: Handles,
    scores: NDArray[np.float64],
) -> Mapping[str, Representation]:
    """Expand queries by feedback. Return leg -> expanded query; other legs keep their query.

    Appends the stage to `encoded.stages`. If the stage is skipped or fails, returns no queries.

    legs:    results of the legs in the first search.
    numbers: handles of the n documents of the first search's fused list, best first.
    scores:  float64 [n], fused scores of these documents.
    """
    began = perf_counter()
    with encoded.trace.stage(NAME):
        try:
            done = _Feedback(view, encoded, legs, numbers, scores).run()
            stage = QueryStage(
                NAME,
                "ran",
                terms=done.terms,
                documents=done.documents,
                usage=done.usage,
                notes=done.notes,
            )
        except _SkippedError as skipped:
            done, stage = _Done(), QueryStage(NAME, "skipped", reason=str(skipped))
        except ModelError as error:
            done, stage = _Done(), QueryStage(NAME, "failed", reason=str(error))
    spent = (perf_counter() - began) * 1e3
    encoded.stages.append(replace(stage, milliseconds=spent))
    return done.queries


def _counted(passages: Sequence[FoundPassage]) -> str:
    return f"{len(passages)} passage{'' if len(passages) == 1 else 's'}"


class _Feedback:
    """Feedback for one search. The arguments are those of `expand`."""

    def __init__(
        self,
        view: View,
        encoded: EncodedPlan,
        legs: Sequence[Leg],
        numbers: Handles,
        scores: NDArray[np.float64],
    ) -> None:
        request = encoded.plan.request.feedback
        assert request is not None, "the request has `feedback`"
        self._request = request
        self._view = view
        self._encoded = encoded
        self._legs = legs
        self._numbers = numbers
        self._scores = scores

    def run(self) -> _Done:
        """Expand the query of every leg that has a feedback method.

        Raises _SkippedError if no leg has one.
        """
        if self._request.gate is not None:
            predictors = SearchPredictors(self._view, self._encoded, self._legs, self._numbers)
            refusal = self._request.gate.refusal(predictors.value(self._request.gate.predictor))
            if refusal:
                raise _SkippedError(refusal)
        if len(self._numbers) == 0:
            raise _SkippedError("the first search found no document")
        most = max(self._documents(leg) for leg in self._legs)
        read = read_passages(self._view, self._legs, self._numbers[: READ * most])
        kept = without_copies(read, most)
        passages = [read[position] for position in kept]
        weights = np.maximum(self._scores[kept], 0.0).tolist()
        done = _Done(documents=[one.document.id for one in passages])
        if len(copies := set(range(kept[-1])) - set(kept)):
            done.notes.append(
                f"{len(copies)} of the best documents repeat others and were left out"
            )
        for leg in self._legs:
            self._encoded.trace.guard.check()
            own = self._documents(leg)
            if own:
                self._expand(leg, passages[:own], weights[:own], done)
        if not done.queries:
            raise _SkippedError("; ".join(done.notes) or "nothing could be added to the query")
        return done

    def _documents(self, leg: Leg) -> int:
        """Return how many documents a leg's feedback reads; 0 if its query stays unchanged."""
        config = self._view.config.legs[leg.request.name]
        found = None if config.multi else self._request.of(config.kind)
        match found:
            case None:
                return 0
            case LexicalFeedback():
                return found.documents or _FEW[found.method]
            case SparseFeedback():
                return found.documents
            case DenseFeedback():
                return found.documents or _DENSE[found.method]

    def _expand(
        self, leg: Leg, passages: Sequence[FoundPassage], scores: Sequence[float], done: _Done
    ) -> None:
        """Expand the query of one leg from these passages. scores: fused scores, not negative."""
        name = leg.request.name
        config = self._view.config.legs[name]
        how = self._request.of(config.kind)
        if isinstance(config, LexicalLeg):
            assert isinstance(how, LexicalFeedback), "the leg is lexical"
            self._expand_terms(leg, how, passages, scores, done)
        elif isinstance(config, DenseLeg):
            assert isinstance(how, DenseFeedback), "the leg is dense"
            self._move(leg, how, passages, done)
        else:
            assert isinstance(how, SparseFeedback), "the leg is sparse"
            self._expand_weights(leg, how, passages, scores, done)

    def _expand_terms(
        self,
        leg: Leg,
        how: LexicalFeedback,
        passages: Sequence[FoundPassage],
        scores: Sequence[float],
        done: _Done,
    ) -> None:
        name = leg.request.name
        assert leg.query.terms is not None, "the leg is lexical"
        query = leg.query.terms[0]
        if not query:
            done.notes.append(f"{name}: the query has no terms")
            return
        documents, texts = [one.document for one in passages], [one.text for one in passages]
        counts = self._encoded.encoder.passage_terms(name, documents, texts)
        every = sorted({term for one in counts for term in one if 1 < len(term) <= LONGEST})
        frequencies = self._view.frequencies(name, every)
        statistics = self._view.statistics(name, [])
        most = max(COMMON * statistics.passages, len(passages))
        usable = {term for term in every if frequencies[term] <= most}
        if how.method in ("bo1", "kl"):
            statistics = self._view.statistics(name, sorted(usable))
        read = [{t: n for t, n in one.items() if t in usable} for one in counts]
        weight = _MIXED[how.method] if how.weight is None else how.weight
        match how.method:
            case "rm3":
                found = rm3(query, read, scores, how.terms, weight)
            case "rocchio":
                found = rocchio(query, read, how.terms, weight)
            case "bo1":
                found = bo1(query, read, statistics, how.terms, weight)
            case "kl":
                found = kl(query, read, statistics, how.terms, weight)
        done.queries[name] = Representation(terms=[found])
        done.notes.append(f"{name}: {how.method}, terms of {_counted(passages)}")
        self._show(name, found, done)

    def _expand_weights(
        self,
        leg: Leg,
        how: SparseFeedback,
        passages: Sequence[FoundPassage],
        scores: Sequence[float],
        done: _Done,
    ) -> None:
        name = leg.request.name
        assert leg.query.sparse is not None, "the leg is sparse"
        row = leg.query.sparse
        query = {str(i): float(w) for i, w in zip(row.indices, row.data, strict=True)}
        if not query:
            done.notes.append(f"{name}: the query has no terms")
            return
        read, source = self._weights(name, passages, done)
        weight = _MIXED[how.method] if how.weight is None else how.weight
        if how.method == "rm3":
            found = rm3(query, read, scores, how.terms, weight)
        else:
            found = rocchio(query, read, how.terms, weight)
        done.queries[name] = self._encoded.encoder.sparse_query(
            name, {int(term): value for term, value in found.items()}
        )
        done.notes.append(f"{name}: {how.method}, {source} of {_counted(passages)}")
        self._show(name, found, done)

    def _weights(
        self, name: str, passages: Sequence[FoundPassage], done: _Done
    ) -> tuple[list[dict[str, float]], str]:
        """Return the term weights of passages in a sparse leg, and a name of their source.

        The source is "stored weights", or "new weights" if the passages had to be encoded.
        """
        if "explain" in self._encoded.plan.capabilities:
            handles = np.array([one.handle for one in passages], dtype=np.int64)
            stored = cast(ExplainingView, self._view).terms(name, handles)
            return [{one.term: one.weight for one in terms} for terms in stored], "stored weights"
        matrix = self._encode(name, passages, done).sparse
        assert matrix is not None, "the leg is sparse"
        rows = [matrix[[i]] for i in range(len(passages))]
        return [
            {str(i): float(w) for i, w in zip(row.indices, row.data, strict=True)} for row in rows
        ], "new weights"

    def _move(
        self, leg: Leg, how: DenseFeedback, passages: Sequence[FoundPassage], done: _Done
    ) -> None:
        name = leg.request.name
        assert leg.query.dense is not None, "the leg is dense"
        if "vectors" in self._encoded.plan.capabilities:
            handles = np.array([one.handle for one in passages], dtype=np.int64)
            vectors, source = cast(VectorView, self._view).vectors(name, handles), "stored vectors"
        else:
            found = self._encode(name, passages, done).dense
            assert found is not None, "the leg is dense"
            vectors, source = found, "new vectors"
        weight = None if how.method == "average" else _MOVED if how.weight is None else how.weight
        query = moved(leg.query.dense[0], vectors, weight)
        done.queries[name] = Representation(dense=query[None, :])
        done.notes.append(f"{name}: {how.method}, {source} of {_counted(passages)}")

    def _encode(self, name: str, passages: Sequence[FoundPassage], done: _Done) -> Representation:
        """Encode passages, for a store that does not return their stored representations."""
        if not self._view.config.legs[name].encoder.encodes_text:
            raise ModelError(
                f"leg {name!r} encodes no text, and this store does not return stored vectors"
            )
        found = self._encoded.encoder.encode_passages(name, [one.text for one in passages])
        done.usage = add_usages(done.usage, found.usage)
        return found

    def _show(self, name: str, weights: Mapping[str, float], done: _Done) -> None:
        """Add the heaviest terms of an expanded query to the stage."""
        ordered = heaviest_first(TermWeight(term, weight) for term, weight in weights.items())
        encoder = self._encoded.encoder
        top = [TermWeight(encoder.name(name, t.term), t.weight) for t in ordered[:SHOWN]]
        done.terms[name] = TopTerms(top, len(ordered))
