"""The names of all predictors. They do not change, because calibrations on disk contain them."""

from __future__ import annotations

from ...core.errors import shown
from ...core.near import did_you_mean

BEFORE = {
    "terms": "number of different terms of the query",
    "unknown_terms": "share of the query's terms that no passage contains",
    "idf_avg": "mean idf of the query's terms",
    "idf_max": "largest idf of the query's terms",
    "ictf_avg": "mean inverse collection term frequency of the query's terms",
    "scq_avg": "mean similarity of a query term and the collection",
    "scq_max": "largest similarity of a query term and the collection",
    "scq_sum": "sum of the similarities of the query's terms and the collection",
    "scs": "simplified clarity: divergence of the query from the collection",
}
"""Predictors that need no search, only statistics of a lexical leg -> description."""

OF_LEG = {
    "top_score": "score of the first document",
    "gap": "difference of the first two scores, relative to the first",
    "mean_score": "mean score of the first 10 documents",
    "nqc": "standard deviation of the first 100 scores, relative to the mean of the list",
    "smv": "magnitude and variance of the first 100 scores, relative to the mean of the list",
    "wig": "mean of the first 5 scores above the mean of the list, by the root of the query length",
    "sigma_max": "largest standard deviation of the first n scores, over all n",
    "sigma_half": "standard deviation of the scores of at least half the first score, by the root "
    "of the query length",
    "cohesion": "mean cosine of the vectors of the first 10 passages; dense legs only",
}
"""Predictors of each leg's own list -> description. Their full name is LEG.NAME."""

ACROSS_LEGS = {
    "overlap": "share of the first 10 documents of one leg that another leg also has there",
    "rbo": "rank-biased overlap of the lists of two legs",
    "single_leg": "share of the first 10 documents that only one leg returned",
}
"""Predictors that compare the lists of at least two legs -> description."""

OF_TEXTS = {
    "coverage": "idf-weighted share of the query's terms in the first 5 passages together",
    "coverage_best": "idf-weighted share of the query's terms in the best of the first 5 passages",
    "clarity": "divergence of the first 10 passages from the collection",
}
"""Predictors that read the passages that were found -> description."""

NAMES = {**BEFORE, **OF_LEG, **ACROSS_LEGS, **OF_TEXTS}
"""All predictors -> description."""

PREDICTOR = r"^([a-z][a-z0-9_]{0,31}\.)?[a-z_]+$"
"""Pattern of the name of a predictor, with its leg if it is one of a leg."""


def split(predictor: str) -> tuple[str | None, str]:
    """Return the leg and the name of a predictor: ("dense", "gap") for "dense.gap".

    The leg is None for a predictor that does not belong to one leg, such as "idf_max".
    """
    leg, dot, name = predictor.rpartition(".")
    return (leg, name) if dot else (None, predictor)


def check_predictor(predictor: str) -> str:
    """Return a predictor unchanged. Raises ValueError if there is none with this name."""
    leg, name = split(predictor)
    if name not in NAMES:
        near = did_you_mean(name, NAMES)
        raise ValueError(
            f"must be a predictor, got {shown(predictor)}{near}; predictors are {', '.join(NAMES)}"
        )
    if (name in OF_LEG) != (leg is not None):
        wanted = f"LEG.{name}, such as dense.{name}" if leg is None else name
        raise ValueError(f"must have the form {wanted}, got {shown(predictor)}")
    return predictor
