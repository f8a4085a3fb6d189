"""The search form: its fields, the search request that they make, and links to other searches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from ...core.filters import read_filters
from ...encoders import detects_languages
from ...encoders.lexical.languages import NONE
from ...search import Fusion, SearchRequest
from ..serving.problems import validate
from . import conditions
from .conditions import Kinds

_LINKED = {
    "collection": "collection",
    "query": "q",
    "language": "language",
    "method": "fusion",
    "k": "k",
    "filter": "filter",
    "limit": "limit",
    "rerank": "rerank",
    "top_n": "rerank.top_n",
    "timeout_ms": "rerank.timeout_ms",
    "feedback": "feedback",
    "rewrite": "rewrite",
    "group": "group",
    "group_size": "group.size",
    "facet_limit": "facet.limit",
}
"""Field of Form -> its name in the query string of a link."""
_LISTS = {"legs": "leg", "sort": "sort", "facets": "facet"}
"""Field of Form -> its name in the query string, for fields that may occur several times."""
_PARAMETERS = {**_LINKED, "offset": "offset", "new_field": "field", "operator": "operator",
               "value": "value"}  # fmt: skip
"""Field of Form -> its name in the query string, for all fields that occur once."""


@dataclass(slots=True)
class Form:
    """The fields of the form as the user entered them, valid or not. The page shows them again.

    language: language of the query. Empty: detect it.
    new_field, operator, value: condition on a metadata field, to be added to `filter`.
    sort:     fields of the order, each with "-" for descending. Empty: by score.
    facets:   fields whose values are counted. Empty: the page chooses them.
    group:    field whose values group the hits. Empty: no groups.
    rewrite:  name of a rewriter. Empty: none.
    """

    collection: str = ""
    query: str = ""
    language: str = ""
    legs: list[str] = field(default_factory=list)
    weights: dict[str, str] = field(default_factory=dict)
    method: str = Fusion().method
    k: str = "60"
    filter: str = ""
    new_field: str = ""
    operator: str = "eq"
    value: str = ""
    limit: str = "10"
    offset: str = "0"
    explain: bool = False
    rerank: str = ""
    top_n: str = ""
    timeout_ms: str = ""
    feedback: str = ""
    rewrite: str = ""
    sort: list[str] = field(default_factory=list)
    facets: list[str] = field(default_factory=list)
    facet_limit: str = "10"
    group: str = ""
    group_size: str = "3"

    @classmethod
    def read(cls, given: QueryParams) -> Form:
        """Return the form whose fields are in the query string of an address."""
        plain = {field: given[name] for field, name in _PARAMETERS.items() if name in given}
        weights = {
            name.removeprefix("weight."): value
            for name, value in given.items()
            if name.startswith("weight.")
        }
        lists = {name: [one for one in given.getlist(word) if one] for name, word in _LISTS.items()}
        fields: dict[str, Any] = {**plain, **lists, "weights": weights}
        return cls(**fields, explain="explain" in given)

    @property
    def browses(self) -> bool:
        """True if the form has no query and lists documents by their fields."""
        listed = self.filter.strip() or self.sort or self.facets or self.group
        return bool(listed) and not self.query.strip()

    def add_condition(self, kinds: Kinds) -> None:
        """Add the new condition, if any, to `filter`. Raises InvalidInputError if it is invalid.

        kinds: metadata field -> kinds of its values in the collection.
        """
        if self.new_field:
            added = conditions.condition(self.new_field, self.operator, self.value.strip(), kinds)
            self.filter = conditions.dumped(conditions.joined(conditions.parse(self.filter), added))
            self.new_field, self.operator, self.value = "", "eq", ""

    def read_filters(self, kinds: Kinds) -> None:
        """Move the conditions in the query, such as `year:>2019`, to `filter`.

        A query that consists of conditions only stays unchanged, because nothing would be searched.

        kinds: metadata field -> kinds of its values in the collection.
        """
        query, found = read_filters(self.query, kinds)
        if found is not None and query:
            present = conditions.parse(self.filter)
            self.query, self.filter = query, conditions.dumped(conditions.joined(present, found))

    def corrected(self, query: str) -> str:
        """Return the address of the first page of this search with another query."""
        return replace(self, query=query).link(0)

    def request(self, legs: Mapping[str, Any], counts: Sequence[str] = ()) -> SearchRequest:
        """Return the search request of the form.

        Ignores legs that are not in the collection. Ignores `language` if no selected leg detects
        languages. Raises Problem 422 for invalid fields.

        legs:   name -> configuration of the collection's legs.
        counts: fields whose values are counted.
        """
        if self.browses:
            fields: dict[str, Any] = {
                "filter": conditions.parse(self.filter),
                "limit": self.limit,
                "offset": self.offset,
                "explain": self.explain,
                "rerank": self._rerank(),
                "rewrite": self.rewrite or None,
            }
            return validate(SearchRequest, fields | self._arranged(counts), texts=True)
        chosen = self.running(legs)
        detects = any(detects_languages(legs[name].encoder) for name in chosen)
        fields = {
            "query": self.query,
            "language": (self.language.strip() or None) if detects else None,
            "legs": [{"name": name, "weight": self.weights.get(name, "1")} for name in chosen],
            "fusion": {"method": self.method, **({"k": self.k} if self.method == "rrf" else {})},
            "filter": conditions.parse(self.filter),
            "limit": self.limit,
            "offset": self.offset,
            "explain": self.explain,
            "rerank": self._rerank(),
            "suggest": True,
            "feedback": self.feedback or None,
            "rewrite": self.rewrite or None,
            **self._arranged(counts),
        }
        return validate(SearchRequest, fields, texts=True)

    def _arranged(self, counts: Sequence[str]) -> dict[str, Any]:
        """Return the fields `sort`, `facets` and `group` of the search request."""
        group = {"field": self.group, "size": self.group_size} if self.group else None
        return {
            "sort": ["id"] if self.browses and not (self.sort or group) else self.sort,
            "facets": [{"field": name, "limit": self.facet_limit} for name in counts],
            "group": group,
        }

    def running(self, legs: Mapping[str, Any]) -> list[str]:
        """Return the names of the selected legs.

        If no leg is selected, returns the names of all legs with the role "search".

        legs: name -> configuration of the collection's legs.
        """
        chosen = [name for name in self.legs if name in legs]
        return chosen or [name for name, leg in legs.items() if leg.role == "search"]

    def shown_legs(
        self, legs: Mapping[str, Any], encoders: Mapping[str, str]
    ) -> dict[str, dict[str, Any]]:
        """Return what the form shows of each leg.

        legs:     name -> configuration of the collection's legs.
        encoders: name of a leg -> name of its encoder.
        """
        running = self.running(legs)
        return {
            name: {
                "kind": leg.kind,
                "role": leg.role,
                "encoder": encoders[name],
                "on": name in running,
                "weight": self.weights.get(name, "1"),
            }
            for name, leg in legs.items()
        }

    def languages(self, passages: Iterable[Mapping[str, int]]) -> list[str]:
        """Return the languages that the user may select; empty if no leg detects languages.

        The list has "" for detection, the languages of the collection, and the selected language.

        passages: for each leg that detects languages, language -> number of passages.
        """
        found = [*passages]
        codes = {code for one in found for code in one} | {self.language}
        return sorted(codes | {""}, key=lambda code: (code == NONE, code)) if found else []

    def _rerank(self) -> dict[str, str] | None:
        if not self.rerank:
            return None
        options = {"top_n": self.top_n.strip(), "timeout_ms": self.timeout_ms.strip()}
        return {"model": self.rerank, **{name: given for name, given in options.items() if given}}

    def parameters(self) -> list[tuple[str, str]]:
        """Return the query parameters of this search, without the offset of a page."""
        return [
            *((name, getattr(self, field)) for field, name in _LINKED.items()),
            *((name, one) for field, name in _LISTS.items() for one in getattr(self, field)),
            *((f"weight.{name}", weight) for name, weight in self.weights.items()),
            *([("explain", "1")] if self.explain else []),
        ]

    def link(self, offset: int) -> str:
        """Return the address of the page whose first hit has the given offset in this search."""
        return "./?" + urlencode([*self.parameters(), ("offset", str(offset))])

    def elsewhere(self, collection: str) -> str:
        """Return the address of the first page of this search in another collection."""
        return replace(self, collection=collection).link(0)

    def filtered(self, condition: str) -> str:
        """Return the address of the first page of this search, with `condition` as its filter."""
        return replace(self, filter=condition).link(0)

    def counting(self, field: str) -> str:
        """Return the address of this search with the counts of all values of one field."""
        return replace(self, facets=[field], facet_limit="1000").link(0)

    def wider(self, legs: Mapping[str, Any]) -> list[dict[str, str]]:
        """Return links, each with a `text`, to searches that may find more than this one.

        legs: name -> configuration of the collection's legs.
        """
        if self.offset != "0":
            return [{"text": "Go to the first page", "link": self.link(0)}]
        found = []
        if self.filter.strip():
            found.append({"text": "Remove the filter", "link": self.filtered("")})
        running = self.running(legs)
        off = [n for n, leg in legs.items() if leg.role == "search" and n not in running]
        if off:
            link = replace(self, legs=[*running, *off]).link(0)
            found.append({"text": f"Search also with {' and '.join(off)}", "link": link})
        return found

    def changed(self, legs: Mapping[str, Any]) -> list[str]:
        """Return short descriptions of the options that differ from their defaults.

        legs: name of a leg of the collection -> its values in the form.
        """
        searched = {name for name, leg in legs.items() if leg["role"] == "search"}
        on = [name for name, leg in legs.items() if leg["on"]]
        words = [] if set(on) == searched else [" + ".join(on)]
        words += [
            f"{n} x {w}" for n, w in self.weights.items() if w not in ("1", "1.0") and n in on
        ]
        words += [] if self.method == Fusion().method else [self.method]
        words += [] if self.limit == "10" else [f"{self.limit} hits"]
        words += [f"feedback {self.feedback}"] if self.feedback else []
        words += [f"reranked by {self.rerank}"] if self.rerank else []
        words += [f"rewriter {self.rewrite}"] if self.rewrite else []
        order = [f"{n[1:]} descending" if n.startswith("-") else n for n in self.sort]
        words += [f"ordered by {', '.join(order)}"] if order else []
        return words + ([f"grouped by {self.group}"] if self.group else [])
