"""The REST application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from .. import __version__
from . import openapi
from .metrics import Metrics
from .middleware import Frame
from .problems import HANDLERS
from .routes import (
    collections,
    documents,
    jobs,
    models,
    operations,
    page,
    reference,
    rerank,
    search,
)
from .service import Service
from .settings import Settings

DESCRIPTION = """Hybrid retrieval: dense, learned sparse and BM25 legs over durable collections.

A write is answered when it is on disk. Errors are RFC 9457 problem details."""

LLM_COUNTS = {
    "calls": "Prompts that language models read.",
    "prompt_tokens": "Tokens in these prompts.",
    "cached_tokens": "Of these, tokens whose keys and values were reused.",
    "completion_tokens": "Tokens that language models generated.",
    "cache_hits": "Texts that needed no call because their result was remembered.",
    "seconds": "Time spent in language models.",
}
"""Fields of Usage that are metrics."""


def create_app(root: Path, settings: Settings | None = None, *, host: str = "") -> FastAPI:
    """The application that serves the collections under `root`.

    Collections and models are loaded when it starts, in the background: `/readyz` says when they
    are. `host` is the name that the server listens on. Raises NotFoundError when `root` is no
    folder and SourceError for a file of rerankers that cannot be used.
    """
    settings = settings or Settings()
    service = Service(root, settings)
    metrics = Metrics()
    metrics.gauge("twindex_documents", "Documents.", ("collection",), service.document_counts)
    metrics.gauge("twindex_jobs", "Jobs by state.", ("collection", "state"), service.job_counts)
    for field, meaning in LLM_COUNTS.items():
        read = partial(service.usage, field)
        metrics.counter(f"twindex_llm_{field}", meaning, ("collection",), read)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        service.start()
        yield
        service.close()

    app = FastAPI(
        title="Twindex",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        exception_handlers=HANDLERS,
        # The framework's own pages load from a CDN.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.settings = settings
    app.state.service = service
    app.state.metrics = metrics
    for module in (
        search,
        rerank,
        documents,
        collections,
        jobs,
        models,
        operations,
        page,
        reference,
    ):
        app.include_router(module.router)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static")
    app.add_middleware(Frame, settings=settings, metrics=metrics, host=host)
    app.openapi = lambda: openapi.describe(app)  # type: ignore[method-assign]
    return app
