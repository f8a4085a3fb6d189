"""Computes the predictors of query performance of one search; see `search.predictors`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import cast

import numpy as np

from ...core import Document, TermCounts, TermWeights
from ...index import CollectionTerms, DenseLeg, Handles, VectorView, View
from ..predictors import ACROSS_LEGS, BEFORE, agreement, before, scores, split, texts
from .passages import FoundPassage, read_passages
from .planning import EncodedPlan
from .results import Leg, best_passage, leg_positions
from .stages import lexical_leg

_WORD = re.compile(r"\w+")


class SearchPredictors:
    """The predictors of one search. Each group of predictors is computed at its first use.

    view:    the view that was searched; it must be open.
    legs:    results of the legs.
    numbers: handles of the documents of the fused list, best first.
    """

    def __init__(
        self, view: View, encoded: EncodedPlan, legs: Sequence[Leg], numbers: Handles
    ) -> None:
        self._view = view
        self._encoded = encoded
        self._legs = {leg.request.name: leg for leg in legs}
        self._numbers = numbers

    def value(self, predictor: str) -> float:
        """Return the value of a predictor by its name, such as "idf_max" or "dense.gap".

        This search must be able to compute the predictor; see `check_gate`.
        """
        leg, name = split(predictor)
        if leg is not None:
            return self._cohesion(leg) if name == "cohesion" else self._of_leg[leg][name]
        if name in BEFORE:
            return self._before[name]
        return self._across[name] if name in ACROSS_LEGS else self._of_texts[name]

    def all(self) -> dict[str, float]:
        """Return predictor -> value, for all predictors that this search has."""
        found = dict(self._before)
        for name, own in self._of_leg.items():
            found |= {f"{name}.{one}": value for one, value in own.items()}
            if self._has_vectors(name):
                found[f"{name}.cohesion"] = self._cohesion(name)
        return found | self._across | self._of_texts

    # -- groups ------------------------------------------------------------------------------

    @cached_property
    def _lexical(self) -> str | None:
        """Name of the leg whose terms are counted.

        None if the collection has no lexical leg, or if the request has no query text.
        """
        if self._encoded.plan.request.query is None:
            return None
        return lexical_leg(self._view.config, list(self._legs))

    @cached_property
    def _terms(self) -> TermWeights:
        """The terms of the original query, with their frequencies."""
        assert self._lexical is not None, "checked by the caller"
        plan, encoder = self._encoded.plan, self._encoded.encoder
        found = encoder.encode([self._lexical], plan.request).legs[0].terms
        assert found is not None, "the leg is lexical"
        return found[0]

    @cached_property
    def _statistics(self) -> CollectionTerms:
        assert self._lexical is not None, "checked by the caller"
        return self._view.statistics(self._lexical, list(self._terms))

    @cached_property
    def _before(self) -> dict[str, float]:
        if self._lexical is None:
            return {}
        return dict(before.predict(self._statistics, self._terms))

    @cached_property
    def _of_leg(self) -> dict[str, Mapping[str, float]]:
        words = len(_WORD.findall(self._encoded.plan.request.query or ""))
        return {name: scores.predict(leg.result.scores, words) for name, leg in self._legs.items()}

    @cached_property
    def _across(self) -> dict[str, float]:
        lists = [leg.result.documents.tolist() for leg in self._legs.values()]
        return dict(agreement.predict(self._numbers.tolist(), lists))

    @cached_property
    def _of_texts(self) -> dict[str, float]:
        if self._lexical is None:
            return {}
        passages = self._passage_terms(self._lexical)
        weights = {term: before.idf(self._statistics, term) for term in self._terms}
        together, best = texts.coverage(weights, passages)
        found = texts.model(passages)
        statistics = self._view.statistics(self._lexical, list(found))
        return {
            "coverage": together,
            "coverage_best": best,
            "clarity": texts.clarity(found, statistics),
        }

    def _passage_terms(self, leg: str) -> list[TermCounts]:
        read = self._read
        documents: list[Document] = [one.document for one in read]
        return self._encoded.encoder.passage_terms(leg, documents, [one.text for one in read])

    @cached_property
    def _read(self) -> list[FoundPassage]:
        legs = list(self._legs.values())
        return read_passages(self._view, legs, self._numbers[: texts.READ])

    def _has_vectors(self, name: str) -> bool:
        leg = self._view.config.legs[name]
        stored = "vectors" in self._encoded.plan.capabilities
        return stored and isinstance(leg, DenseLeg) and not leg.multi

    def _cohesion(self, name: str) -> float:
        positions = leg_positions(list(self._legs.values()), self._numbers[: scores.FIRST])
        passages = np.array([best_passage(one) for one in positions], dtype=np.int64)
        return scores.cohesion(cast(VectorView, self._view).vectors(name, passages))


def predictors_of(
    view: View, encoded: EncodedPlan, legs: Sequence[Leg], numbers: Handles
) -> dict[str, float]:
    """Return predictor -> value of a search."""
    with encoded.trace.stage("predict"):
        return SearchPredictors(view, encoded, legs, numbers).all()
