"""Options of a search for the order of hits, facets, groups and boosts."""

from __future__ import annotations

import argparse
import json
from typing import Any


def add_arranging(parser: argparse.ArgumentParser) -> None:
    """Add the options for the order of hits, facets, groups and boosts."""
    parser.add_argument(
        "--sort",
        type=_listed,
        default=[],
        metavar="FIELD,...",
        help="order of the hits: metadata fields, also id, title and _score, the most important "
        "first; write --sort=-year for descending order (default: by score)",
    )
    parser.add_argument(
        "--facet",
        action="append",
        default=[],
        metavar="FIELD",
        help="count the values that the found documents have in this field; repeatable",
    )
    parser.add_argument(
        "--group",
        type=_group,
        metavar="FIELD[=N]",
        help="show the best N hits for each value of this field (default: 3); --limit then counts "
        "groups",
    )
    parser.add_argument(
        "--boost",
        type=_object,
        action="append",
        default=[],
        metavar="JSON",
        help='raise the scores of some documents, as in \'{"kind": "decay", "field": "date", '
        '"origin": "now", "scale": "30d", "weight": 0.5}\'; kinds are filter, number and decay; '
        "repeatable",
    )


def add_highlight(parser: argparse.ArgumentParser) -> None:
    """Add the option for snippets."""
    parser.add_argument(
        "--highlight",
        action="store_true",
        help="print the snippets of each hit that match the query best, with *matching* words",
    )


def arranging_fields(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return field of SearchRequest -> value, for the options of `add_arranging`."""
    return {
        "sort": arguments.sort,
        "facets": arguments.facet,
        "group": arguments.group,
        "boosts": arguments.boost,
    }


def _listed(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


def _group(text: str) -> dict[str, Any]:
    """Parse `author` or `author=2`."""
    name, found, size = text.rpartition("=")
    if not found:
        return {"field": text}
    if not size.isdecimal():
        raise argparse.ArgumentTypeError(
            f"{text!r} is not FIELD or FIELD=N with a number N, as in author=2"
        )
    return {"field": name, "size": int(size)}


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not JSON ({error})") from None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f"{text!r} is not a JSON object")
    return value
