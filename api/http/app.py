"""Create the REST application: its routes, middleware and metrics."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from anyio import to_thread
from fastapi import FastAPI
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from ... import __version__
from ..mcp.http import assistants
from ..serving.access.audit import AuditLog
from ..serving.access.keyring import keyring_of
from ..serving.access.quotas import Quotas
from ..serving.access.shared_quotas import MOST, shared_quotas
from ..serving.measuring.by_key import KeyCounts
from ..serving.measuring.counts import document_counts, job_counts, ready_counts, usage, writable
from ..serving.measuring.metrics import Metrics
from ..serving.measuring.shared import SharedMetrics
from ..serving.measuring.tracing import tracing_of
from ..serving.operations.workers import Place, keys_of
from ..serving.problems import HANDLERS
from ..serving.service import Service
from ..serving.settings import Settings
from . import cors, openapi
from .admission import Admission
from .arrival.following import Follower
from .arrival.gate import Gate
from .arrival.relay import Relay
from .compat import tei, tei_info
from .compat.cohere import chat as cohere_chat
from .compat.cohere import embed as cohere_embed
from .compat.openai import chat as openai_chat
from .compat.openai import embeddings as openai_embeddings
from .compat.openai import responses as openai_responses
from .compat.openai import vector_stores
from .keys import Door
from .middleware import Frame
from .routes import (
    aliases,
    answer,
    ask_page,
    collections,
    documents,
    federated,
    jobs,
    keys,
    models,
    operations,
    page,
    pages,
    reembed,
    reference,
    reload,
    rerank,
    search,
    updates,
)
from .routes.assistants import ROUTES as ASSISTANTS
from .routes.kept import history, snapshots

DESCRIPTION = """Hybrid retrieval: dense, learned sparse and BM25 legs over durable collections.

The reply to a write is sent after the data is on disk. Errors are RFC 9457 problem details."""

LLM_COUNTS = {
    "calls": "Prompts that language models read.",
    "prompt_tokens": "Tokens in these prompts.",
    "cached_tokens": "Prompt tokens whose keys and values were reused.",
    "completion_tokens": "Tokens that language models generated.",
    "cache_hits": "Texts whose result came from the cache, without a call.",
    "seconds": "Time spent in language models.",
}
"""Field of Usage -> description of its metric."""


STATIC = Path(__file__).parents[1] / "pages" / "static"


def create_app(
    root: Path, settings: Settings | None = None, *, host: str = "", place: Place | None = None
) -> FastAPI:
    """Return the ASGI application that serves the collections in the folder `root`.

    After it starts, collections and models load in the background; `/readyz` returns 200 when they
    are ready.

    settings: settings of the server; None: the defaults.
    host:     host name that the server listens on.
    place:    place of this process among several workers; None: it is alone.

    Raises NotFoundError if `root` is not a folder, and SourceError for an invalid file of rerankers
    or generators.
    """
    settings = settings or Settings()
    shared = None if place is None else SharedMetrics(place)
    service = Service(root, settings, place)
    metrics = Metrics(shared)
    of, states = ("collection",), ("collection", "state")
    gauge = GaugeMetricFamily
    documents_of, jobs_of = partial(document_counts, service), partial(job_counts, service)
    metrics.register(gauge, "twindex_documents", "Documents.", of, documents_of)
    metrics.register(gauge, "twindex_jobs", "Jobs by state.", states, jobs_of)
    ready_of, writable_of = partial(ready_counts, service), partial(writable, service)
    metrics.register(gauge, "twindex_collection_ready", "1 if it can be used.", of, ready_of)
    metrics.register(gauge, "twindex_writable", "0 if writes fail, else 1.", (), writable_of)
    reloading = service.reloading
    metrics.register(
        CounterMetricFamily,
        "twindex_reloads",
        'Reloads of rerankers, generators and rewriters: "done", or "refused" with the reason in '
        "the log.",
        ("outcome",),
        lambda: {(outcome,): float(n) for outcome, n in reloading.counts.items() if service.writes},
    )
    metrics.register(
        gauge,
        "twindex_last_reload_ok",
        "0 if the latest reload was refused, else 1.",
        (),
        lambda: {(): float(reloading.problem is None)},
    )
    tracing = tracing_of(settings, os.environ)
    if tracing is not None:
        metrics.register(
            CounterMetricFamily,
            "twindex_trace_spans",
            'Spans by outcome: "sent", or "failed" if the collector did not take them.',
            ("outcome",),
            lambda: {(outcome,): float(n) for outcome, n in tracing.spans.items()},
        )
    for field, meaning in LLM_COUNTS.items():
        read = partial(usage, service, field)
        metrics.register(CounterMetricFamily, f"twindex_llm_{field}", meaning, of, read)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.start()
        async with assistants(settings) as app.state.assistants:
            yield
        service.close()
        if tracing is not None:
            await to_thread.run_sync(tracing.close)

    app = FastAPI(
        title="Twindex",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        exception_handlers={**HANDLERS, HTTPException: page.unknown_page},
        # The framework's own pages load scripts from a CDN.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=openapi.operation_id,
        # The framework's own spans and metrics would contain queries.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.settings = settings
    app.state.service = service
    app.state.metrics = metrics
    app.state.traces = tracing is not None
    app.state.keyring = keyring_of(root, settings, None if place is None else keys_of(place.folder))
    app.state.admission = admission = Admission.of(settings)
    app.state.gate = gate = Gate(service, settings, metrics)
    by_key = KeyCounts()
    metrics.register(
        CounterMetricFamily,
        "twindex_key_requests",
        "Requests by the id of their key, and by kind of status. Further keys are `other`.",
        ("key", "status"),
        by_key.read,
    )
    relay, quotas, follower = None, Quotas(), None
    if place is not None:
        relay = None if place.writes else Relay(place)
        quotas = Quotas(make=shared_quotas(place, settings.workers), most=MOST)
        follower = Follower(service, metrics, place)
    app.state.follower = follower
    for module in (
        search,
        federated,
        answer,
        rerank,
        history,
        documents,
        collections,
        aliases,
        snapshots,
        updates,
        reembed,
        jobs,
        keys,
        models,
        operations,
        reload,
        openai_chat,
        openai_embeddings,
        openai_responses,
        vector_stores,
        cohere_chat,
        cohere_embed,
        tei,
        tei_info,
        page,
        ask_page,
        pages,
        reference,
    ):
        app.include_router(module.router)
    app.router.routes += ASSISTANTS
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    door = Door(app.state.keyring)
    log = settings.audit_log
    audit = None if log is None else AuditLog(log, chained=settings.audit_chain)
    app.add_middleware(
        Frame,
        settings=settings,
        service=service,
        metrics=metrics,
        admission=admission,
        door=door,
        gate=gate,
        quotas=quotas,
        by_key=by_key,
        audit=audit,
        relay=relay,
        follower=follower,
        tracing=tracing,
        host=host,
    )
    if settings.cors_origins:
        app.add_middleware(
            cors.Cors,
            allow_origins=settings.cors_origins,
            allow_methods=cors.METHODS,
            allow_headers=cors.TAKEN,
            expose_headers=cors.SHOWN,
        )
    app.openapi = lambda: openapi.describe(app)  # type: ignore[method-assign]
    return app
