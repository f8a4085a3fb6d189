"""Filters: conditions on documents, independent of any store (docs/filters.md).

`parse_filter` turns a JSON filter into a `Condition`. A store translates the `Condition` into its
own query language. `show_filter` turns a `Condition` back into JSON.
"""

from .conditions import And, Condition, Dated, Equal, Exists, In, Not, Operator, Or, Prefix, Range
from .matching import meets
from .parsing import MAX_CONDITIONS, MAX_DEPTH, Filter, check_selective, parse_filter
from .showing import show_filter
from .text import read_filters, write_filters
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
    "meets",
    "parse_filter",
    "read_filters",
    "show_filter",
    "write_filters",
]
