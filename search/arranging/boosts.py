"""Boosts: what raises the scores of documents besides the query.

    score = fused + |fused| * sum over boosts b of weight(b) * value(b)

A value is between 0 and 1, so the order of magnitude of fused scores does not matter, and a boost
with the weight 0.5 raises a score by at most half. |fused| is used because scores of a single dense
leg may be negative. A boost changes the order of the documents that the legs found; it finds none.
The decay functions are those of Elasticsearch's function score.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import time

import numpy as np
from numpy.typing import NDArray

from ...core.filters import parse_filter
from ...core.filters.dates import instant
from ...index import FieldValues, Handles, View
from .meeting import meeting
from .request import Boost, DecayBoost, FilterBoost, NumberBoost
from .sorting import dates_of

Scores = NDArray[np.float64]


def boost_values(view: View, documents: Handles, boosts: Sequence[Boost]) -> Scores:
    """Return the value of each boost for n documents, float64 [boosts, n], from 0 to 1."""
    found = [_values(view, documents, boost) for boost in boosts]
    return np.array(found, dtype=np.float64).reshape(len(boosts), len(documents))


def contributions(fused: Scores, values: Scores, boosts: Sequence[Boost]) -> Scores:
    """Return what each boost adds to the fused scores, float64 [boosts, n].

    fused:  float64 [n].
    values: float64 [boosts, n].
    """
    weights = np.array([boost.weight for boost in boosts], dtype=np.float64)
    return weights[:, None] * values * np.abs(fused)


def _values(view: View, documents: Handles, boost: Boost) -> Scores:
    if isinstance(boost, FilterBoost):
        return meeting(view, parse_filter(boost.filter), documents).astype(np.float64)
    values = view.values(boost.field, documents)
    if isinstance(boost, DecayBoost) and boost.dates:
        dated = dates_of(values)
        numbers = np.array([value for _, value in dated.values], dtype=np.float64)
        return _best(dated, _decayed(numbers, boost), len(documents))
    numbers = values.values.numbers
    if isinstance(boost, NumberBoost):
        numbers = np.maximum(numbers, 0.0)
        return _best(values, numbers / (numbers + boost.pivot), len(documents))
    return _best(values, _decayed(numbers, boost), len(documents))


def _decayed(numbers: Scores, boost: DecayBoost) -> Scores:
    origin = boost.origin
    if isinstance(origin, str):
        found = int(time() * 1e6) if origin == "now" else instant(origin)
        assert found is not None, "checked by DecayBoost"
        origin = float(found)
    distance: Scores = np.maximum(0.0, np.abs(numbers - origin) - boost.distance(boost.offset))
    distance = distance / boost.distance(boost.scale)
    if boost.shape == "linear":
        distance = np.maximum(0.0, 1.0 - (1.0 - boost.decay) * distance)
        return distance
    power = distance if boost.shape == "exp" else distance**2
    decayed: Scores = boost.decay**power
    return decayed


def _best(values: FieldValues, scores: Scores, documents: int) -> Scores:
    """Return the largest score of each document's values; 0: it has none.

    scores: float64 [k], the scores of the first k values; the others do not count.
    """
    found = np.zeros(documents, dtype=np.float64)
    counts = values.codes < len(scores)
    np.maximum.at(found, values.positions[counts], scores[values.codes[counts]])
    return found
