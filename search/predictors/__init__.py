"""Predictors of query performance: numbers that say how well a search probably answers its query.

`NAMES` lists them. A predictor of one leg has the name of the leg before it: "dense.gap". The
functions are pure: `before` reads statistics of the query's terms, `scores` the list of one leg,
`agreement` the lists of several legs, and `texts` the passages that were found.
"""

from .names import (
    ACROSS_LEGS,
    BEFORE,
    NAMES,
    OF_LEG,
    OF_TEXTS,
    PREDICTOR,
    check_predictor,
    split,
)

__all__ = [
    "ACROSS_LEGS",
    "BEFORE",
    "NAMES",
    "OF_LEG",
    "OF_TEXTS",
    "PREDICTOR",
    "check_predictor",
    "split",
]
