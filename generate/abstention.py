"""Abstention: a calibrated rule that returns "no_answer" before the generator's model is called.

    confidence = 1 / (1 + exp(-(bias + sum of weight * value over the features)))

The features are numbers that are computed from a search and its sources, such as `source_coverage`.
They are called predictors. The confidence is the estimated probability that the sources contain the
answer. If it is below the threshold, the generator's model is not called. A rewriter and a
background run before the rule. `twindex calibrate --answers` fits bias and weights, and chooses the
threshold.

Joren et al., "Sufficient context: a new lens on retrieval augmented generation systems" (ICLR
2025), show that large models answer wrongly rather than abstain if the sources are not sufficient.
The authors also use a logistic rule, with other features: an autorater and the model's own
confidence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from ..ask.answers import logistic
from ..core import Config
from ..core.bounds import Score, Share
from ..core.errors import shown
from ..core.near import did_you_mean

OF_LEG = ("top_score", "gap", "nqc")
"""The predictors of each leg's list. Their full name is LEG.NAME."""

OF_ANSWER = ("overlap", "rerank_top", "source_coverage", "source_coverage_best")
"""The predictors of a search with its sources. `twindex.search.answering.predictors` describes
them."""

FEATURE_NAME = r"^([a-z][a-z0-9_]{0,31}\.)?[a-z][a-z0-9_]{0,63}$"
"""Pattern of the name of a predictor: NAME, or LEG.NAME for a predictor of one leg."""


class FeatureWeight(Config):
    """The weight of a predictor in an abstention rule.

    name:   name of the predictor, such as "source_coverage" or "dense.top_score".
    weight: factor of the predictor's value.
    """

    name: Annotated[str, Field(pattern=FEATURE_NAME)]
    weight: Score

    @field_validator("name")
    @classmethod
    def _is_known(cls, name: str) -> str:
        _, dot, own = name.rpartition(".")
        if own in (OF_LEG if dot else OF_ANSWER):
            return name
        if own in (*OF_LEG, *OF_ANSWER):
            wanted = own if dot else f"LEG.{own}, such as dense.{own}"
            raise ValueError(f"must have the form {wanted}, got {shown(name)}")
        known = (*OF_ANSWER, *(f"LEG.{one}" for one in OF_LEG))
        near = did_you_mean(own, (*OF_ANSWER, *OF_LEG))
        raise ValueError(
            f"must be a predictor of answers, got {shown(name)}{near}; predictors are "
            f"{', '.join(known)}, with the name of a leg for LEG"
        )


class AbstentionConfig(Config):
    """A rule that decides whether a question is answered. `twindex calibrate --answers` fits it.

    threshold: minimum confidence, from 0 to 1. Questions with a lower confidence are not answered.
    bias:      confidence, as a logit, of a question whose predictors are all 0.
    features:  predictors that the rule uses, with their weights.
    """

    threshold: Share = 0.5
    bias: Score
    features: tuple[FeatureWeight, ...] = ()

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        names = [one.name for one in self.features]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"`features` must name each predictor once, got {twice[0]!r} twice")
        return self

    @property
    def names(self) -> Sequence[str]:
        """Return the names of the predictors that the rule uses."""
        return [one.name for one in self.features]

    def missing(self, values: Mapping[str, float]) -> list[str]:
        """Return the names of the predictors that the rule uses and that `values` lacks."""
        return [name for name in self.names if name not in values]

    def confidence(self, values: Mapping[str, float]) -> float:
        """Return the probability, from 0 to 1, that the sources contain the answer.

        values: name of a predictor -> value, for every predictor that the rule uses.
        """
        return logistic(self.bias + sum(one.weight * values[one.name] for one in self.features))
