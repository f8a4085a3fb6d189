"""Errors in the form that the clients of each interface read."""

from __future__ import annotations

from typing import Any

import orjson

from ...serving.problems import MEDIA_TYPE, ErrorShape, Problem, UnknownPath

JSON = "application/json"

_OPENAI_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    429: "rate_limit_error",
}
"""HTTP status -> `type` of OpenAI's error object. Other statuses below 500 are invalid requests."""

_TEI_TYPES = {429: "Overloaded", 424: "Backend"}
_UNHEALTHY = ("not_ready", "loading")
"""Codes of a server that is not ready."""

_FINAL = (409, 504)
"""Statuses after which OpenAI's clients must not send the request again by themselves."""

_LONG = "60"
"""`Retry-After` of a collection that cannot be served. The clients would wait as long, twice."""


def openai_error(problem: Problem, request_id: str) -> dict[str, Any]:
    """Return OpenAI's error object for a problem."""
    other = "server_error" if problem.status >= 500 else "invalid_request_error"
    fields = [one["field"] for one in problem.errors]
    return {
        "message": problem.detail,
        "type": _OPENAI_TYPES.get(problem.status, other),
        "param": fields[0] if fields else None,
        "code": "unknown_url" if isinstance(problem, UnknownPath) else problem.code,
        "request_id": request_id,
        "errors": problem.errors,
    }


def openai(problem: Problem, request_id: str) -> tuple[int, bytes, str]:
    """Return the reply for OpenAI's clients. An invalid field is 400, as in OpenAI's service."""
    if problem.status in _FINAL or problem.headers.get("Retry-After") == _LONG:
        problem.headers.setdefault("x-should-retry", "false")
    status = 400 if problem.status == 422 else problem.status
    return status, orjson.dumps({"error": openai_error(problem, request_id)}), JSON


def cohere(problem: Problem, request_id: str) -> tuple[int, bytes, str]:
    """Return the reply for Cohere's clients."""
    body = {
        "id": request_id,
        "message": problem.detail,
        "code": problem.code,
        "errors": problem.errors,
    }
    return problem.status, orjson.dumps(body), JSON


def tei(problem: Problem, request_id: str) -> tuple[int, bytes, str]:
    """Return the reply for clients of text-embeddings-inference."""
    status = problem.status
    kind = _TEI_TYPES.get(status, "Backend" if status >= 500 else "Validation")
    if problem.code in _UNHEALTHY:
        kind = "Unhealthy"
    body = {
        "error": problem.detail,
        "error_type": kind,
        "code": problem.code,
        "request_id": request_id,
        "errors": problem.errors,
    }
    return status, orjson.dumps(body), JSON


def _with(shape: ErrorShape) -> ErrorShape:
    """Return problem details with the members of another shape, for paths with several clients."""

    def both(problem: Problem, request_id: str) -> tuple[int, bytes, str]:
        own = orjson.loads(problem.body(request_id))
        others = orjson.loads(shape(problem, request_id)[1])
        return problem.status, orjson.dumps({**others, **own}), MEDIA_TYPE

    return both


_models, _v2_rerank, _rerank = _with(openai), _with(cohere), _with(tei)

_PATHS: dict[str, ErrorShape] = {
    "/v1/chat/completions": openai,
    "/v1/responses": openai,
    "/v1/embeddings": openai,
    "/v1/sparse_embeddings": openai,
    "/v1/models": _models,
    "/v2/chat": cohere,
    "/v2/embed": cohere,
    "/v2/rerank": _v2_rerank,
    "/rerank": _rerank,
    "/embed": tei,
    "/embed_sparse": tei,
    "/info": tei,
    "/health": tei,
}

NATIVE = frozenset({"aliases", "collections", "info", "jobs", "keys", "reload", "rerank", "search"})
"""First parts of paths below /v1/ whose errors are problem details."""

COHERE_V1 = frozenset(
    {
        *("chat", "check-api-key", "classify", "connectors", "datasets", "detokenize", "embed"),
        *("embed-jobs", "finetuning", "generate", "summarize", "tokenize"),
    }
)
"""First parts of paths below /v1/ that only clients of Cohere request."""

TEI = frozenset(("embed_all", "predict", "predict_tokens", "similarity", "tokenize", "decode"))
"""First parts of the paths of text-embeddings-inference that are not offered."""

OPENAI = frozenset(("chat", "completions", "embeddings", "models", "responses"))
"""First parts of paths that OpenAI's clients request if `/v1` is missing in their `base_url`."""


def error_shape(path: str) -> ErrorShape | None:
    """Return the form of errors on a path; None: problem details.

    A path that the server does not have gets the form of the clients that request it: below /v1/
    OpenAI's, below /v2/ Cohere's.

    path: path of a request, without the server's `root_path`.
    """
    found = _PATHS.get(path)
    if found is not None:
        return found
    first, _, rest = path.removeprefix("/").partition("/")
    if first == "v1":
        first, slash, _ = rest.partition("/")
        if first in NATIVE:
            return None
        if first == "models":
            return _models
        return cohere if first in COHERE_V1 and not (first == "chat" and slash) else openai
    if first == "v2":
        return cohere
    if first in TEI:
        return tei
    return openai if first in OPENAI else None
