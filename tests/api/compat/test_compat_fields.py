"""Each field of the official clients works, is refused by name, or is ignored for a reason.

Run this file to write the tables of docs/interfaces/openai.md and docs/interfaces/cohere.md.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import orjson
import pytest

from twindex.api.descriptions import fields as described
from twindex.api.http.compat import tei
from twindex.api.http.compat.cohere import fields as cohere_fields
from twindex.api.http.compat.cohere.embed_shapes import CohereEmbedBody
from twindex.api.http.compat.cohere.shapes import CohereChatBody
from twindex.api.http.compat.fields import Fields
from twindex.api.http.compat.openai import fields as openai_fields
from twindex.api.http.compat.openai import vector_stores
from twindex.api.http.compat.openai.chat import ChatCompletionBody
from twindex.api.http.compat.openai.embeddings import EmbeddingsBody, SparseEmbeddingsBody
from twindex.api.http.compat.openai.responses import ResponsesBody
from twindex.api.http.routes.rerank import CONFIGURED
from twindex.api.http.shapes.reranking import RerankBody
from twindex.core import Config

DOCS = Path(__file__).parents[3] / "docs" / "interfaces"
BEGIN, END = "<!-- from the code: begin -->", "<!-- from the code: end -->"
_NOT_FIELDS = {"self", "extra_headers", "extra_query", "extra_body", "timeout", "request_options"}
"""Parameters of the official clients that are not in the body of a request."""

RERANK = Fields(refused={}, ignored={})


@dataclass(frozen=True)
class Endpoint:
    """An endpoint, the class of its body, and the fields that have no effect.

    call: path of the method in the official client; "" without one.
    """

    title: str
    page: str
    body: type[Config]
    fields: Fields
    call: str = ""


ENDPOINTS = (
    Endpoint(
        "POST /v1/chat/completions",
        "openai",
        ChatCompletionBody,
        openai_fields.CHAT,
        "chat.completions.create",
    ),
    Endpoint(
        "POST /v1/responses", "openai", ResponsesBody, openai_fields.RESPONSES, "responses.create"
    ),
    Endpoint(
        "POST /v1/embeddings",
        "openai",
        EmbeddingsBody,
        openai_fields.EMBEDDINGS,
        "embeddings.create",
    ),
    Endpoint(
        "POST /v1/sparse_embeddings", "openai", SparseEmbeddingsBody, openai_fields.EMBEDDINGS
    ),
    Endpoint(
        "POST /v1/vector_stores/{collection}/search",
        "openai",
        vector_stores.VectorStoreSearchBody,
        vector_stores.FIELDS,
        "vector_stores.search",
    ),
    Endpoint("POST /v2/chat", "cohere", CohereChatBody, cohere_fields.CHAT, "chat"),
    Endpoint("POST /v2/embed", "cohere", CohereEmbedBody, cohere_fields.EMBED, "embed"),
    Endpoint("POST /v2/rerank", "cohere", RerankBody, RERANK, "rerank"),
    Endpoint("POST /embed", "cohere", tei.TeiEmbedBody, tei.EMBED),
    Endpoint("POST /embed_sparse", "cohere", tei.TeiSparseBody, tei.EMBED),
    Endpoint("POST /rerank", "cohere", tei.TeiRerankBody, tei.RERANK),
)


def refused(endpoint: Endpoint) -> dict[str, str]:
    """Return field -> reason, with the accepted values."""
    if endpoint.fields is RERANK:
        return {name: f"{what} is part of the configuration" for name, what in CONFIGURED.items()}
    shown = {}
    for name, one in endpoint.fields.refused.items():
        accepted = ", ".join(f"`{orjson.dumps(value).decode()}`" for value in one.neutral)
        shown[name] = one.reason + (f" (accepted: {accepted})" if accepted else "")
    return shown


def rows(endpoint: Endpoint) -> Iterator[tuple[str, str, str]]:
    """Yield (field, what happens, explanation)."""
    meanings: dict[str, str] = {}
    for cls in reversed(endpoint.body.__mro__):
        if cls is not Config and issubclass(cls, Config):
            meanings |= described(cls.__doc__ or "")
    for name in endpoint.body.model_fields:
        yield name, "works", meanings[name]
    for name, reason in sorted(refused(endpoint).items()):
        yield name, "refused", reason
    for name, reason in sorted(endpoint.fields.ignored.items()):
        yield name, "no effect", reason


def table(endpoint: Endpoint) -> str:
    lines = [f"### `{endpoint.title}`", "", "| field | | |", "|---|---|---|"]
    for name, what, text in rows(endpoint):
        lines.append(f"| `{name}` | {what} | {text.replace('|', chr(92) + '|')} |")
    return "\n".join(lines)


def generated(page: str) -> str:
    return "\n\n".join(table(one) for one in ENDPOINTS if one.page == page)


def parts(page: str) -> tuple[str, str, str]:
    text = (DOCS / f"{page}.md").read_text()
    before, _, rest = text.partition(BEGIN)
    inside, _, after = rest.partition(END)
    return before, inside, after


@pytest.mark.parametrize("page", ["openai", "cohere"])
def test_the_page_lists_every_field(page):
    assert parts(page)[1].strip() == generated(page), f"run {Path(__file__).name}"


@pytest.mark.parametrize("endpoint", [one for one in ENDPOINTS if one.call])
def test_every_field_of_the_official_client_is_known(endpoint):
    package = pytest.importorskip(endpoint.page, reason=f"{endpoint.page} is not installed")
    if endpoint.page == "openai":
        client: Any = package.OpenAI
    else:  # The package imports its modules late.
        client = import_module("cohere.v2.client").V2Client
    if endpoint.page == "openai":
        with package.OpenAI(api_key="x", base_url="http://127.0.0.1:9") as made:
            client = made
            for name in endpoint.call.split("."):
                client = getattr(client, name)
    else:
        client = getattr(client, endpoint.call)
    names = set(inspect.signature(inspect.unwrap(client)).parameters) - _NOT_FIELDS
    names -= {"vector_store_id"}
    known = {name for name, _, _ in rows(endpoint)}
    assert names - known == set()


def test_no_field_both_works_and_is_refused():
    for endpoint in ENDPOINTS:
        names = [name for name, _, _ in rows(endpoint)]
        assert len(names) == len(set(names)), endpoint.title


if __name__ == "__main__":
    for name in sys.argv[1:] or ("openai", "cohere"):
        before, _, after = parts(name)
        text = f"{before}{BEGIN}\n\n{generated(name)}\n\n{END}{after}"
        (DOCS / f"{name}.md").write_text(text)
