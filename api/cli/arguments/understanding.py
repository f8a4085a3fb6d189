"""Options of a search that change its query or predict how well it is answered."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from typing import Any

from ....core import InvalidInputError
from ....search.stages import METHODS
from .common import given

_NUMBERS = {"documents": "--feedback-documents", "terms": "--feedback-terms",
            "weight": "--feedback-weight"}  # fmt: skip
"""Field of a method of feedback -> its option."""

_ACCEPTED = {
    "lexical": ("documents", "terms", "weight"),
    "sparse": ("documents", "terms", "weight"),
    "dense": ("documents", "weight"),
}
"""Kind of leg -> fields of its feedback."""


def add_understanding(parser: argparse.ArgumentParser) -> None:
    """Add the options for feedback, predictors, spelling and the filters in a query."""
    add_feedback(parser)
    parser.add_argument(
        "--parse-filters",
        action="store_true",
        help='read conditions in the query, such as year:>2019 or author:"Ada Smith", as filters',
    )
    parser.add_argument(
        "--no-suggest",
        action="store_true",
        help="do not look for a better spelling of words that the collection does not contain",
    )
    parser.add_argument(
        "--predictors",
        action="store_true",
        help="print predictors of how well the search answers the query",
    )


def add_feedback(parser: argparse.ArgumentParser) -> None:
    """Add the options for feedback."""
    parser.add_argument(
        "--feedback",
        type=parse_feedback_option,
        metavar="METHOD",
        help="expand the query from the best documents and search again: rm3, rocchio, bo1, kl or "
        "average, in every kind of leg that has the method; or KIND=METHOD,..., as in "
        "lexical=rm3,dense=average",
    )
    parser.add_argument(
        "--feedback-documents",
        type=int,
        metavar="N",
        help="number of best documents that feedback reads (default: depends on the method)",
    )
    parser.add_argument(
        "--feedback-terms",
        type=int,
        metavar="N",
        help="number of terms that feedback adds in lexical and sparse legs (default: 10 and 50)",
    )
    parser.add_argument(
        "--feedback-weight",
        type=float,
        metavar="X",
        help="share of the feedback in the new query, from 0 to 1 (default: depends on the method)",
    )
    parser.add_argument(
        "--feedback-gate",
        type=parse_gate,
        metavar="PREDICTOR<X",
        help="expand only queries whose predictor is below (<) or above (>) a threshold, as in "
        "'lexical.gap<0.1' or 'idf_max>3'; --predictors prints the values",
    )


def understanding_fields(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return field of SearchRequest -> value, for the options of `add_understanding`."""
    fields = {**feedback_fields(arguments), **given(arguments, ("predictors", "parse_filters"))}
    # Without a query, as in `twindex search --sort`, there is nothing to correct.
    has_query = getattr(arguments, "query", "") is not None
    return {**fields, "suggest": has_query and not arguments.no_suggest}


def feedback_fields(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return field of SearchRequest -> value, for the options of `add_feedback`.

    Raises InvalidInputError for an option that no method of the request accepts.
    """
    options = {name: getattr(arguments, f"feedback_{name}") for name in (*_NUMBERS, "gate")}
    wanted = {name: value for name, value in options.items() if value is not None}
    if arguments.feedback is None:
        if wanted:
            raise InvalidInputError("requires --feedback", field=f"--feedback-{next(iter(wanted))}")
        return {}
    gate = wanted.pop("gate", None)
    feedback: dict[str, Any] = {
        kind: {"method": method, **_numbers(kind, method, wanted)}
        for kind, method in arguments.feedback.items()
    }
    used = {name for own in feedback.values() for name in own}
    unused = [_NUMBERS[name] for name in wanted if name not in used]
    if unused:
        raise InvalidInputError("is not accepted by the methods of --feedback", field=unused[0])
    return {"feedback": feedback | ({} if gate is None else {"gate": gate})}


def _numbers(kind: str, method: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields in `wanted` that a method accepts in a kind of leg."""
    accepted = [n for n in _ACCEPTED[kind] if (method, n) != ("average", "weight")]
    return {name: wanted[name] for name in accepted if name in wanted}


def parse_feedback_option(text: str) -> dict[str, str]:
    """Parse `rm3` or `lexical=rm3,dense=average` into {kind of leg: method}."""
    if "=" not in text:
        if text not in METHODS:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a method; methods are {', '.join(METHODS)}"
            )
        return dict.fromkeys(METHODS[text], text)
    found: dict[str, str] = {}
    for item in text.split(","):
        kind, _, method = item.strip().partition("=")
        if kind not in _ACCEPTED or kind in found or kind not in METHODS.get(method, ()):
            having = ", ".join(name for name, kinds in METHODS.items() if kind in kinds)
            raise argparse.ArgumentTypeError(
                f"{item.strip()!r} is not KIND=METHOD; kinds are {', '.join(_ACCEPTED)}, each once"
                + (f", and {kind} legs have the methods {having}" if having else "")
            )
        found[kind] = method
    return found


def parse_gate(text: str) -> dict[str, Any]:
    """Parse `lexical.gap<0.1` into {"predictor": "lexical.gap", "below": 0.1}."""
    match = re.fullmatch(r"\s*([\w.]+)\s*([<>])\s*(\S+)\s*", text)
    try:
        if match is not None:
            side = "below" if match[2] == "<" else "above"
            return {"predictor": match[1], side: float(match[3])}
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(
        f"{text!r} is not PREDICTOR<NUMBER or PREDICTOR>NUMBER, as in lexical.gap<0.1"
    )
