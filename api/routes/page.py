"""The search page: a form that works without JavaScript."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from time import perf_counter
from typing import Any, get_args
from urllib.parse import urlencode

import orjson
from fastapi import APIRouter
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from ...core import AnalyzerConfig, InvalidInputError, LexicalLeg, TwindexError
from ...encoders import LexicalEncoder
from ...search import Engine, Fusion, SearchRequest
from ...search.request import WINDOW
from .. import highlight, movement
from ..problems import Problem, problem_of, validate
from ..reranked import spent, stages
from ..served import Served
from ..service import Service
from ..terminal import figure

router = APIRouter(include_in_schema=False)

# No inline script or style: text of a document can never become either.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
METHODS = get_args(Fusion.model_fields["method"].annotation)
TERMS_SHOWN = 12

templates = Environment(
    loader=FileSystemLoader(Path(__file__).parents[1] / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def _piece(term: str) -> str:
    """A piece of a vocabulary with the space that it begins with as a sign people know."""
    return "␣" + term[1:] if term[:1] in ("Ġ", "▁") and len(term) > 1 else term


templates.filters |= {"piece": _piece, "figure": figure}


@dataclass(slots=True)
class Form:
    """The fields as they were filled in: shown again, right or wrong."""

    collection: str = ""
    query: str = ""
    legs: list[str] = field(default_factory=list)
    weights: dict[str, str] = field(default_factory=dict)
    method: str = Fusion().method
    k: str = "60"
    filter: str = ""
    limit: str = "10"
    offset: str = "0"
    explain: bool = False
    rerank: str = ""
    top_n: str = ""
    timeout_ms: str = ""

    @classmethod
    def read(cls, given: QueryParams) -> Form:
        weights = {
            name.removeprefix("weight."): value
            for name, value in given.items()
            if name.startswith("weight.")
        }
        return cls(
            collection=given.get("collection", ""),
            query=given.get("q", ""),
            legs=given.getlist("leg"),
            weights=weights,
            method=given.get("fusion", Fusion().method),
            k=given.get("k", "60"),
            filter=given.get("filter", ""),
            limit=given.get("limit", "10"),
            offset=given.get("offset", "0"),
            explain="explain" in given,
            rerank=given.get("rerank", ""),
            top_n=given.get("rerank.top_n", ""),
            timeout_ms=given.get("rerank.timeout_ms", ""),
        )

    def request(self, legs: Mapping[str, Any]) -> SearchRequest:
        """The search that the form asks for; legs of another collection are left out."""
        chosen = self.running(legs)
        condition = None
        if self.filter.strip():
            try:
                condition = orjson.loads(self.filter)
            except orjson.JSONDecodeError as error:
                raise InvalidInputError(f"is not JSON: {error}", field="filter") from None
        asked = {
            "query": self.query,
            "legs": [{"name": name, "weight": self.weights.get(name, "1")} for name in chosen],
            "fusion": {"method": self.method, **({"k": self.k} if self.method == "rrf" else {})},
            "filter": condition,
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
        """The address of another page of the same search."""
        fields = [
            ("collection", self.collection),
            ("q", self.query),
            *(("leg", name) for name in self.legs),
            *((f"weight.{name}", weight) for name, weight in self.weights.items()),
            ("fusion", self.method),
            ("k", self.k),
            ("filter", self.filter),
            ("limit", self.limit),
            ("offset", str(offset)),
            ("rerank", self.rerank),
            ("rerank.top_n", self.top_n),
            ("rerank.timeout_ms", self.timeout_ms),
        ]
        return "/?" + urlencode([*fields, *([("explain", "1")] if self.explain else [])])

    @property
    def refined(self) -> bool:
        """Whether anything but the query was chosen: the options are then shown."""
        plain = Form(self.collection, self.query, self.legs, self.weights, offset=self.offset)
        return self != plain or any(weight not in ("1", "1.0") for weight in self.weights.values())


@router.get("/", response_class=HTMLResponse)
async def search_page(request: Request) -> Response:
    """The form, and the hits when there is a query."""
    service: Service = request.app.state.service
    collections = await service.readers.run(service.collections)
    form = Form.read(request.query_params)
    if not form.collection:
        ready = [served.name for served in collections if served.status == "ready"]
        form.collection = ready[0] if ready else ""
    page: dict[str, Any] = {
        "form": form,
        "methods": METHODS,
        "collections": collections,
        "legs": {},
        "rerankers": service.rerankers.names,
        "result": None,
        "problem": None,
    }
    status = 200
    try:
        if form.collection:
            run = service.rerank if form.rerank and form.query.strip() else service.read
            await run(form.collection, lambda served: _fill(served, page))
    except (TwindexError, Problem) as error:
        problem = problem_of(error, service.root)
        page["problem"], status = problem, problem.status
    return await service.readers.run(render, "search.html", page, status)


def render(template: str, values: Mapping[str, Any], status: int = 200) -> Response:
    """A page from a template."""
    return HTMLResponse(templates.get_template(template).render(values), status, HEADERS)


def _fill(served: Served, page: dict[str, Any]) -> None:
    """Add the legs of the collection and what a search of it gave."""
    engine, _ = served.ready()
    form: Form = page["form"]
    running = form.running(engine.config.legs)
    page["legs"] = {
        name: {
            "kind": leg.kind,
            "encoder": served.encoders[name],
            "on": name in running,
            "weight": form.weights.get(name, "1"),
        }
        for name, leg in engine.config.legs.items()
    }
    if form.query.strip():
        page["result"] = _result(engine, form)


def _result(engine: Engine, form: Form) -> dict[str, Any]:
    asked = form.request(engine.config.legs)
    began = perf_counter()
    found = engine.search(asked)
    took = (perf_counter() - began) * 1e3
    rows = []
    if found.rerank is not None:
        plain = asked.model_copy(update={"rerank": None, "explain": False})
        first = engine.search(plain)
        if first.generation == found.generation:  # Nobody has written meanwhile.
            rows = movement.before_and_after(first.hits, found.hits, asked.offset + 1)
    analyzer = _analyzer(_language(engine))
    terms = {token.term for token in analyzer.tokens(form.query)}
    hits = []
    for place, hit in enumerate(found.hits, asked.offset + 1):
        document = hit.document
        assert document is not None, "asked for all parts"
        hits.append(
            {
                "place": place,
                "id": hit.id,
                "score": hit.score,
                "legs": hit.legs,
                "title": highlight.fragments(
                    document.title[: highlight.LENGTH], terms, analyzer.tokens
                ),
                "excerpt": highlight.excerpt(document.text, terms, analyzer.tokens, hit.passage),
                "passage": hit.passage,
                "length": len(document.text),
                "metadata": _short(document.metadata),
                "explain": _shares(hit.explain),
                "terms": hit.terms or {},
                "rerank": hit.rerank
                and movement.shown(hit.rerank, document, terms, analyzer.tokens),
            }
        )
    following = asked.offset + asked.limit
    more = following < found.total and following + asked.limit <= WINDOW
    return {
        "hits": hits,
        "total": found.total,
        "relation": found.relation,
        "took": took,
        "timings": found.timings,
        "warnings": found.warnings,
        "query_terms": found.query_terms or {},
        "rerank": found.rerank
        and {
            "model": found.rerank.model,
            "status": found.rerank.status,
            "spent": spent(found.rerank),
            "stages": stages(found.rerank),
            "rows": rows,
        },
        "previous": form.link(max(0, asked.offset - asked.limit)) if asked.offset else None,
        "next": form.link(following) if more else None,
    }


def _short(metadata: Mapping[str, Any]) -> str:
    """The JSON of metadata, cut when it is long; empty when there is none."""
    text = orjson.dumps(metadata).decode() if metadata else ""
    return text if len(text) <= highlight.LENGTH else text[: highlight.LENGTH] + " …"


def _shares(explain: Mapping[str, Any] | None) -> dict[str, Any]:
    """By leg: the heaviest terms, each with its share of the largest, and how many more."""
    shares = {}
    for leg, terms in (explain or {}).items():
        largest = max((abs(item.score) for item in terms), default=0) or 1
        rows = [(item, abs(item.score) / largest) for item in terms[:TERMS_SHOWN]]
        shares[leg] = {"rows": rows, "more": max(0, len(terms) - TERMS_SHOWN)}
    return shares


def _language(engine: Engine) -> AnalyzerConfig:
    """The analyzer of the collection's lexical leg; plain words where there is none."""
    for leg in engine.config.legs.values():
        if isinstance(leg, LexicalLeg):
            return leg.encoder
    return AnalyzerConfig(language="none")


@lru_cache(maxsize=16)
def _analyzer(config: AnalyzerConfig) -> LexicalEncoder:
    return LexicalEncoder(config)
