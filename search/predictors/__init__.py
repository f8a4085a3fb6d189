"""Predictors of query performance: numbers that say how well a search probably answers its query.

`NAMES` lists them. The name of a predictor of one leg begins with the leg, as in "dense.gap". The
functions are pure. The module `before` reads statistics of the query's terms. `scores` reads the
list of one leg, `agreement` reads the lists of several legs, and `texts` reads the passages that
were found.
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
