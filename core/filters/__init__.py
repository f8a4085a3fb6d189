"""Conditions on documents: what a filter means, free of any store's language (docs/filters.md).

`parse_filter` reads a filter once, at the edge; a store translates the `Condition`; `show_filter`
writes it as JSON again.
"""

from .conditions import And, Condition, Dated, Equal, Exists, In, Not, Operator, Or, Prefix, Range
from .parsing import MAX_CONDITIONS, MAX_DEPTH, Filter, check_selective, parse_filter
from .showing import show_filter
from .values import BOOLEAN, NUMBER, OWN, STRING, Scalar, flatten

__all__ = [
    "BOOLEAN",
    "MAX_CONDITIONS",
    "MAX_DEPTH",
    "NUMBER",
    "OWN",
    "STRING",
    "And",
    "Condition",
    "Dated",
    "Equal",
    "Exists",
    "Filter",
    "In",
    "Not",
    "Operator",
    "Or",
    "Prefix",
    "Range",
    "Scalar",
    "check_selective",
    "flatten",
    "parse_filter",
    "show_filter",
]
