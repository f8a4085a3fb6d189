"""Order, facets and groups of the search page, and the links that change them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...core.filters import OWN, Scalar
from ...search import SearchResult
from . import conditions
from .form import Form

AUTOMATIC = 5
"""Maximum number of fields whose values are counted if the user chose none."""
OFFERED = 100
"""Maximum number of fields in a menu."""


def counted(chosen: Sequence[str], fields: Iterable[str]) -> list[str]:
    """Return the fields whose values the page counts: the chosen ones, else the first of `fields`.

    fields: metadata fields of the collection.
    """
    return [*chosen] or [name for name in fields if _usable(name)][:AUTOMATIC]


def orders(fields: Iterable[str], chosen: Sequence[str]) -> list[dict[str, str]]:
    """Return the entries of the menu of orders: `value` for the address, and `text`.

    fields: metadata fields of the collection.
    chosen: orders that the menu must contain.
    """
    present = [name.removeprefix("-") for name in chosen]
    names = dict.fromkeys([*present, *list(fields)[:OFFERED], *sorted(OWN)])
    return [
        {"value": sign + name, "text": f"{name} {arrow}"}
        for name in names
        for sign, arrow in (("", "ascending"), ("-", "descending"))
    ]


def facets(form: Form, found: SearchResult) -> list[dict[str, Any]]:
    """Return what the page shows of each facet. A value links to the search with this value only.

    If the user chose no fields, facets without a repeated value or a condition are left out.
    """
    present = conditions.parse(form.filter)
    shown = []
    for facet in found.facets:
        rows = [_row(form, present, facet.field, one.value, one.count) for one in facet.counts]
        if not (form.facets or any(row["on"] or row["count"] > 1 for row in rows)):
            continue
        numbers = facet.minimum is not None and facet.minimum != facet.maximum
        shown.append(
            {
                "field": facet.field,
                "rows": rows,
                "range": f"{facet.minimum:g} to {facet.maximum:g}" if numbers else "",
                "missing": facet.missing and _without(form, present, facet.field, facet.missing),
                "more": facet.distinct - len(rows),
                "all": form.counting(facet.field),
            }
        )
    return shown


def groups(
    form: Form, found: SearchResult, hits: Sequence[dict[str, Any]], first: int
) -> list[dict[str, Any]]:
    """Return the hits of a page in their groups; without groups, all of them as one without title.

    first: rank of the first hit. In groups, ranks begin with 1.
    """
    if found.groups is None:
        return [{"title": "", "hits": hits, "start": first}] if hits else []
    present, at, listed = conditions.parse(form.filter), 0, []
    for group in found.groups:
        own = hits[at : at + group.hits]
        at += group.hits
        row = (
            _without(form, present, form.group, group.total)
            if group.value is None
            else _row(form, present, form.group, group.value, group.total)
        )
        ranked = [{**hit, "rank": rank} for rank, hit in enumerate(own, 1)]
        listed.append({"title": row["text"], **row, "hits": ranked, "start": 1})
    return listed


def _row(
    form: Form, present: Mapping[str, Any] | None, field: str, value: Scalar | None, count: int
) -> dict[str, Any]:
    text = conditions.as_text(value)
    return {"text": text or "(empty)", **_link(form, present, field, value), "count": count}


def _without(
    form: Form, present: Mapping[str, Any] | None, field: str, count: int
) -> dict[str, Any]:
    row = _link(form, present, field, {"exists": False})
    return {"text": f"no {field}", **row, "count": count}


def _link(
    form: Form, present: Mapping[str, Any] | None, field: str, value: Any
) -> dict[str, str | bool]:
    """Return the link that adds a condition, or removes it if the search has it (`on`).

    The link is "" if a filter of the page cannot have the condition.
    """
    without = conditions.removed(present, {field: value})
    if without is not None:
        return {"link": form.filtered(conditions.dumped(without)), "on": True}
    usable = _usable(field) and len(str(value)) <= conditions.LONGEST
    added = conditions.dumped(conditions.joined(present, {field: value})) if usable else ""
    return {"link": form.filtered(added) if usable else "", "on": False}


def _usable(field: str) -> bool:
    return field.partition(".")[0] not in conditions.COMBINING
