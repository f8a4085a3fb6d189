"""The fields of the search form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from ...search import Fusion, SearchRequest
from ..serving.problems import validate
from . import conditions
from .conditions import Kinds

_LINKED = {
    "collection": "collection",
    "query": "q",
    "method": "fusion",
    "k": "k",
    "filter": "filter",
    "limit": "limit",
    "rerank": "rerank",
    "top_n": "rerank.top_n",
    "timeout_ms": "rerank.timeout_ms",
}
"""Field of the form -> its name in the address of a page."""
_PARAMETERS = {**_LINKED, "offset": "offset", "new_field": "field", "operator": "operator",
               "value": "value"}  # fmt: skip
"""The same of all that a form sends, but for what may come several times."""


@dataclass(slots=True)
class Form:
    """The fields as they were filled in: shown again, right or wrong.

    new_field, operator, value: a condition that is added to `filter`.
    """

    collection: str = ""
    query: str = ""
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

    @classmethod
    def read(cls, given: QueryParams) -> Form:
        """Those of a query string."""
        plain = {field: given[name] for field, name in _PARAMETERS.items() if name in given}
        weights = {
            name.removeprefix("weight."): value
            for name, value in given.items()
            if name.startswith("weight.")
        }
        legs = given.getlist("leg")
        return cls(**plain, legs=legs, weights=weights, explain="explain" in given)

    def add_condition(self, kinds: Kinds) -> None:
        """Move the condition of the form's fields into `filter`. Raises InvalidInputError."""
        if self.new_field:
            added = conditions.condition(self.new_field, self.operator, self.value.strip(), kinds)
            self.filter = conditions.dumped(conditions.joined(conditions.parse(self.filter), added))
            self.new_field, self.operator, self.value = "", "eq", ""

    def request(self, legs: Mapping[str, Any]) -> SearchRequest:
        """The search that the form asks for; legs of another collection are left out."""
        chosen = self.running(legs)
        asked = {
            "query": self.query,
            "legs": [{"name": name, "weight": self.weights.get(name, "1")} for name in chosen],
            "fusion": {"method": self.method, **({"k": self.k} if self.method == "rrf" else {})},
            "filter": conditions.parse(self.filter),
            "limit": self.limit,
            "offset": self.offset,
            "explain": self.explain,
            "rerank": self._rerank(),
        }
        return validate(SearchRequest, asked)

    def running(self, legs: Mapping[str, Any]) -> list[str]:
        """The legs that were chosen; where none of this collection was, those that searches run."""
        chosen = [name for name in self.legs if name in legs]
        return chosen or [name for name, leg in legs.items() if leg.role == "search"]

    def _rerank(self) -> dict[str, str] | None:
        if not self.rerank:
            return None
        options = {"top_n": self.top_n.strip(), "timeout_ms": self.timeout_ms.strip()}
        return {"model": self.rerank, **{name: given for name, given in options.items() if given}}

    def link(self, offset: int) -> str:
        """The address of another page of the same search, relative to the search page."""
        fields = [
            *((name, getattr(self, field)) for field, name in _LINKED.items()),
            *(("leg", name) for name in self.legs),
            *((f"weight.{name}", weight) for name, weight in self.weights.items()),
            ("offset", str(offset)),
            *([("explain", "1")] if self.explain else []),
        ]
        return "./?" + urlencode(fields)

    def filtered(self, condition: str) -> str:
        """The address of the first page of the same search with another filter."""
        return replace(self, filter=condition).link(0)

    def changed(self, legs: Mapping[str, Any]) -> list[str]:
        """In words, what was chosen besides the query."""
        searched = {name for name, leg in legs.items() if leg["role"] == "search"}
        on = [name for name, leg in legs.items() if leg["on"]]
        told = [] if set(on) == searched else [" + ".join(on)]
        told += [f"{n} x {w}" for n, w in self.weights.items() if w not in ("1", "1.0") and n in on]
        told += [] if self.method == Fusion().method else [self.method]
        told += [] if self.limit == "10" else [f"{self.limit} hits"]
        told += [f"reranked by {self.rerank}"] if self.rerank else []
        return told
