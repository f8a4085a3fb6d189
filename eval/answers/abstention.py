"""Fits the rule of abstention (`AbstentionConfig`) to questions with gold passages.

Each question with gold passages is searched twice: in the whole collection, and with its gold
passages filtered out, as if the collection lacked them. Each search that finds sources is an
example. An example is sufficient if a source that the generator would read is a gold passage and
contains a gold answer. A logistic rule then predicts from the predictors of search and sources
whether an example is sufficient.

No model writes an answer. The rule says whether the sources contain the answer, not whether a model
finds it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...core import InvalidInputError, NoProgress, Progress
from ...generate import AbstentionConfig, FeatureWeight
from ..logistic import fit_logistic, logistic
from .coverage import Point, nauc, points
from .matching import contains_answer
from .measures import COVERAGES
from .questions import QuestionSet
from .running import asked

if TYPE_CHECKING:
    from ...search import Collection

Floats = NDArray[np.float64]

PENALTY = 1.0
"""Strength of the L2 regularisation, for predictors with standard deviation 1."""


@dataclass(frozen=True, slots=True)
class Examples:
    """Searches for questions, with and without gold passages in the collection.

    questions:  id of the question of each of n examples.
    values:     name of a predictor -> value, for each example.
    sufficient: True if the sources contain the answer: bool [n].
    removed:    True if the question has no gold passage, or if its gold passages were filtered out:
                bool [n].
    empty:      number of searches without any source, which are not among the examples.
    """

    questions: Sequence[str]
    values: Sequence[Mapping[str, float]]
    sufficient: NDArray[np.bool_]
    removed: NDArray[np.bool_]
    empty: int = 0


@dataclass(frozen=True, slots=True)
class Feature:
    """A predictor of the fitted rule.

    weight: weight per standard deviation of the predictor, so that weights of different predictors
            are comparable.
    sufficient, insufficient: mean value of the predictor over the sufficient and over the
            insufficient examples.
    nauc:   result of `nauc` with the predictor alone as the confidence; None if undefined.
    """

    name: str
    weight: float
    sufficient: float
    insufficient: float
    nauc: float | None


@dataclass(frozen=True, slots=True)
class AbstentionReport:
    """A fitted rule, and its quality measured by cross-validation over the questions.

    Accuracy is the share of sufficient examples among the answered examples. Examples are weighted
    so that those without gold passages have the share `unanswerable` of the total weight.

    rule:      the rule, fitted to all examples.
    questions, examples, sufficient: number of questions, of examples and of sufficient examples.
    log_loss:  mean of -ln(p), where p is the confidence for a sufficient example, and 1 minus the
               confidence for any other.
    brier:     mean squared difference between the confidence and 1 (sufficient) or 0.
    constant_log_loss, constant_brier: log_loss and brier of a baseline whose confidence is always
               the share of sufficient examples.
    nauc:      normalised area of the rule (`twindex.eval.answers.coverage.nauc`, without weights).
    accuracy:  share of the examples that are answered -> accuracy.
    at_threshold: coverage and accuracy at the rule's threshold.
    held_out:  coverage and accuracy if each part of the questions is answered with a threshold that
               was chosen on the other parts.
    features:  the predictors, largest weight first.
    """

    rule: AbstentionConfig
    questions: int
    examples: int
    sufficient: int
    empty: int
    folds: int
    unanswerable: float
    log_loss: float
    brier: float
    constant_log_loss: float
    constant_brier: float
    nauc: float | None
    accuracy: Mapping[float, float]
    at_threshold: Point
    held_out: Point
    features: Sequence[Feature]


def observe(
    collection: Collection,
    questions: QuestionSet,
    request: Mapping[str, Any] | None = None,
    *,
    progress: Progress | None = None,
) -> Examples:
    """Search each question with and without its gold passages, and return the examples.

    request: fields of AnswerRequest for all questions, without `question` and `turns`.
    """
    progress = progress or NoProgress()
    fields = dict(request or {})
    search = dict(fields.get("search") or {})
    names: list[str] = []
    values: list[Mapping[str, float]] = []
    sufficient: list[bool] = []
    removed: list[bool] = []
    empty = 0
    progress.start("search", len(questions.questions), "questions")
    for question in questions.questions:
        gold, answers = questions.gold(question.id), questions.answers[question.id]
        filters = [search.get("filter")]
        if gold:
            filters.append(_without(sorted(gold), search.get("filter")))
        for number, condition in enumerate(filters):
            own = {**search, **({} if condition is None else {"filter": condition})}
            found = collection.evidence(asked(question, {**fields, "search": own}))
            if not found.sources:
                empty += 1
                continue
            names.append(question.id)
            values.append(found.predictors)
            removed.append(number > 0 or not gold)
            sufficient.append(
                any(
                    source.id in gold and contains_answer(source.text, answers)
                    for source in found.sources
                )
            )
        progress.advance(1)
    progress.close()
    return Examples(
        names, values, np.array(sufficient, np.bool_), np.array(removed, np.bool_), empty
    )


def _without(gold: Sequence[str], condition: Mapping[str, Any] | None) -> dict[str, Any]:
    outside = {"not": {"id": {"in": list(gold)}}}
    return outside if condition is None else {"and": [dict(condition), outside]}


def fit_abstention(
    examples: Examples,
    *,
    accuracy: float | None = None,
    coverage: float | None = None,
    unanswerable: float = 0.5,
    folds: int = 5,
    seed: int = 0,
    penalty: float = PENALTY,
) -> AbstentionReport:
    """Fit the rule to all examples, and measure it by cross-validation over the questions.

    accuracy: wanted accuracy of the answers; the threshold answers as many examples as possible.
    coverage: wanted share of examples that are answered; the threshold is as high as possible.
        Without `accuracy` and `coverage`, the threshold is 0.5.
    unanswerable: expected share of questions whose answer the collection lacks, below 1.
    folds:    number of parts into which the questions are divided at random.
    seed:     seed of this division.
    penalty:  strength of the L2 regularisation of the weights; see `fit_logistic`.

    Raises InvalidInputError if all or none of the examples are sufficient, for fewer than two
    questions or folds, and for an accuracy that no threshold reaches.
    """
    _check(examples, accuracy, coverage, unanswerable, folds)
    names = sorted(set.intersection(*(set(one) for one in examples.values)))
    table = np.array([[one[name] for name in names] for one in examples.values])
    names = [name for name, spread in zip(names, table.std(axis=0), strict=True) if spread > 1e-12]
    table = table[:, table.std(axis=0) > 1e-12]
    targets = examples.sufficient.astype(np.float64)
    weights = _weights(examples.removed, unanswerable)
    part = _parts(examples.questions, folds, seed)
    held = np.empty(len(targets))
    constant = np.empty(len(targets))
    for fold in range(int(part.max()) + 1):
        out, rest = part == fold, part != fold
        fitted, bias = _fit(table[rest], targets[rest], weights[rest], penalty)
        held[out] = logistic(table[out] @ fitted + bias)
        constant[out] = np.average(targets[rest], weights=weights[rest])
    fitted, bias = _fit(table, targets, weights, penalty)
    threshold = _threshold(points(targets, held, weights), accuracy, coverage)
    if threshold is None:
        best = max(points(targets, held, weights), key=lambda one: one.accuracy)
        raise InvalidInputError(
            f"no threshold reaches the accuracy {accuracy}; the highest is {best.accuracy:.3f}, if "
            f"{best.coverage:.1%} of the questions are answered; choose a lower accuracy",
            field="accuracy",
        )
    chosen = np.empty(len(targets))
    for fold in range(int(part.max()) + 1):
        rest = part != fold
        own = _threshold(points(targets[rest], held[rest], weights[rest]), accuracy, coverage)
        chosen[part == fold] = 1.1 if own is None else own  # 1.1: nothing is answered.
    return AbstentionReport(
        rule=AbstentionConfig(
            threshold=threshold,
            bias=bias,
            features=tuple(
                FeatureWeight(name=name, weight=float(weight))
                for name, weight in zip(names, fitted, strict=True)
            ),
        ),
        questions=len(set(examples.questions)),
        examples=len(targets),
        sufficient=int(examples.sufficient.sum()),
        empty=examples.empty,
        folds=int(part.max()) + 1,
        unanswerable=unanswerable,
        log_loss=_log_loss(held, targets, weights),
        brier=float(np.average((held - targets) ** 2, weights=weights)),
        constant_log_loss=_log_loss(constant, targets, weights),
        constant_brier=float(np.average((constant - targets) ** 2, weights=weights)),
        nauc=_defined(nauc(targets, held)),
        accuracy=_accuracies(points(targets, held, weights)),
        at_threshold=_answered(held >= threshold, threshold, targets, weights),
        held_out=_answered(held >= chosen, threshold, targets, weights),
        features=_features(names, table, fitted, targets),
    )


def _check(
    examples: Examples,
    accuracy: float | None,
    coverage: float | None,
    unanswerable: float,
    folds: int,
) -> None:
    for name, value in (("accuracy", accuracy), ("coverage", coverage)):
        if value is not None and not 0 < value <= 1:
            raise InvalidInputError(f"must be above 0 and at most 1, got {value}", field=name)
    if accuracy is not None and coverage is not None:
        raise InvalidInputError("cannot be combined with `accuracy`; choose one", field="coverage")
    if not 0 <= unanswerable < 1:
        message = f"must be at least 0 and below 1, got {unanswerable}"
        raise InvalidInputError(message, field="unanswerable")
    if folds < 2:
        raise InvalidInputError(f"must be at least 2, got {folds}", field="folds")
    if len(set(examples.questions)) < 2:
        message = f"must be at least two, got {len(set(examples.questions))}"
        raise InvalidInputError(message, field="questions")
    if examples.sufficient.all() or not examples.sufficient.any():
        kind = "insufficient" if examples.sufficient.all() else "sufficient"
        raise InvalidInputError(
            f"none of the {len(examples.questions)} searches found {kind} sources, and a rule "
            "requires searches with sufficient and with insufficient sources; check that "
            "questions, answers and judgements belong to the collection",
            field="questions",
        )


def _weights(removed: NDArray[np.bool_], unanswerable: float) -> Floats:
    """Return the weights of the examples, with mean 1.

    Examples without gold passages (`removed`) have the share `unanswerable` of the total weight.
    """
    lost, whole = int(removed.sum()), int((~removed).sum())
    if not lost or not whole:
        return np.ones(len(removed))
    weights = np.where(removed, unanswerable / lost, (1 - unanswerable) / whole)
    found: Floats = weights * len(removed)
    return found


def _parts(questions: Sequence[str], folds: int, seed: int) -> NDArray[np.int64]:
    names = sorted(set(questions))
    order = np.random.default_rng(seed).permutation(len(names)) % min(folds, len(names))
    number = dict(zip(names, order.tolist(), strict=True))
    return np.array([number[question] for question in questions])


def _fit(table: Floats, targets: Floats, weights: Floats, penalty: float) -> tuple[Floats, float]:
    """Return the weights and the bias of the rule, for unscaled predictors."""
    center, scale = table.mean(axis=0), table.std(axis=0)
    scale = np.where(scale > 1e-12, scale, 1.0)
    found = fit_logistic((table - center) / scale, targets, weights, penalty)
    own: Floats = found[:-1] / scale
    return own, float(found[-1] - own @ center)


def _threshold(
    found: Sequence[Point], accuracy: float | None, coverage: float | None
) -> float | None:
    """Return the threshold for a wanted accuracy or coverage; None if none reaches the accuracy.

    It is halfway between the lowest confidence that is answered and the next lower one.
    """
    if accuracy is None and coverage is None:
        return 0.5
    if coverage is not None:
        fitting = [i for i, one in enumerate(found) if one.coverage >= coverage - 1e-9][:1]
    else:
        assert accuracy is not None
        fitting = [i for i, one in enumerate(found) if one.accuracy >= accuracy - 1e-9][-1:]
    if not fitting:
        return None
    lower = found[fitting[0] + 1].threshold if fitting[0] + 1 < len(found) else 0.0
    return (found[fitting[0]].threshold + lower) / 2


def _answered(
    answered: NDArray[np.bool_], threshold: float, targets: Floats, weights: Floats
) -> Point:
    total = float(weights[answered].sum())
    right = float((weights * targets)[answered].sum())
    return Point(threshold, total / float(weights.sum()), right / total if total else 0.0)


def _accuracies(found: Sequence[Point]) -> dict[float, float]:
    """Return coverage -> accuracy. Examples with equal confidence are answered together."""
    return {
        share: next(one.accuracy for one in found if one.coverage >= share - 1e-9)
        for share in COVERAGES
    }


def _log_loss(confidence: Floats, targets: Floats, weights: Floats) -> float:
    likely = np.where(targets > 0, confidence, 1 - confidence)
    return float(np.average(-np.log(np.maximum(likely, 1e-300)), weights=weights))


def _features(
    names: Sequence[str], table: Floats, fitted: Floats, targets: Floats
) -> list[Feature]:
    yes = targets > 0
    found = [
        Feature(
            name=name,
            weight=float(fitted[i] * table[:, i].std()),
            sufficient=float(table[yes, i].mean()),
            insufficient=float(table[~yes, i].mean()),
            nauc=_defined(nauc(targets, table[:, i])),
        )
        for i, name in enumerate(names)
    ]
    return sorted(found, key=lambda one: (-abs(one.weight), one.name))


def _defined(value: float) -> float | None:
    return None if np.isnan(value) else value
