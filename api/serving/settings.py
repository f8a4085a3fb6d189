"""Settings of the server, from a file, environment variables `TWINDEX_*` and options."""

from __future__ import annotations

import ipaddress
import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PrivateAttr, SecretStr, ValidationError, field_validator

from ...core import Config, ConfigError
from ...core.bounds import TEXTS, Bounds
from ...core.config import Device
from ...core.toml import parse_toml
from ...llm.weights.places import split_models
from ...search.encoding.batches import DEFAULT_MOST

PREFIX = "TWINDEX_"
ELSEWHERE = {"TWINDEX_ALLOW_DOWNLOAD", "TWINDEX_CACHE", "TWINDEX_DATA", "TWINDEX_DEBUG"}
"""Variables `TWINDEX_*` that are not settings of the server."""

OPEN_PATHS = frozenset({"/livez", "/readyz", "/health"})
"""Paths that need no API key, for programs that monitor the process."""

_OWN_PATHS = {
    *("v1", "v2", "rerank", "embed", "embed_sparse", "info", "health", "mcp"),
    *("metrics", "docs", "static", "openapi.json", "healthz", "ask", "compare"),
    *("collections", "collection", "documents", "document", "edit-document", "put-document"),
    *("delete-document", "merge-collection", "delete-collection", "jobs", "status"),
    *("keys", "create-key", "revoke-key"),
}
_ORIGIN = re.compile(r"https?://[a-z0-9.\[\]:_-]+")

logger = logging.getLogger(__name__)


class Settings(Config):
    """Settings of the server. Environment variables set them: TWINDEX_THREADS sets `threads`.

    api_key:         API key that every request must send, except to `/livez`, `/readyz` and
                     `/health`.
    keys:            file of API keys, which `twindex keys` changes; None: the file
                     `.twindex-keys.json` in the folder of the collections.
    without_keys:    serve an address beyond loopback although there is no API key.
    tls_certificate: file with the certificate of this server, and those between it and a root
                     certificate, in PEM. The server then speaks HTTPS.
    tls_key:         file with the private key of the certificate, in PEM; None: it is in
                     `tls_certificate`.
    trusted_proxies: addresses or networks of proxies, separated by commas, whose headers
                     `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
    audit_log:       file to which a line is appended for each request that writes or administers.
    audit_chain:     link each line of the audit log to the line before it, so that `twindex verify`
                     finds changes.
    allowed_hosts:   additional names of this server, e.g. of a proxy, for the headers `Host` and
                     `Origin` of requests.
    max_body_bytes:  maximum bytes of a request body, except for bulk requests.
    max_bulk_bytes:  maximum bytes of the body of a bulk request.
    job_bytes:       a bulk request with a body of more bytes becomes a job.
    job_documents:   a bulk request with more documents becomes a job.
    workers:         number of processes that answer requests. The first of them also writes, for
                     all of them.
    threads:         number of searches that run in parallel in each worker; 0: one for each CPU,
                     divided by `workers`.
    queue:           maximum number of searches, and of writes, that may wait for a thread; further
                     requests get 429.
    queue_seconds:   expected wait in seconds beyond which searches, and writes, get 429. 32 may
                     wait in any case, unless `queue` is smaller.
    query_batch:     maximum number of queries of concurrent searches that a model encodes together;
                     1: each query alone.
    bulk_share:      part of the processor time that writes may use while searches run; 1: any part.
    rerankers:       TOML file that configures the rerankers for requests; without the file, the
                     server has no rerankers.
    generators:      TOML file that configures the generators for answers; the server always has the
                     generator `extractive`.
    rewriters:       TOML file that configures the rewriters for requests; without the file, the
                     server has no rewriters.
    models:          names and folders of additional models that requests may use, separated by
                     commas. Requests may always use the models of collections, rerankers,
                     generators and rewriters, of installed packages and of the Hugging Face cache.
    rerank_threads:  number of requests with reranking or rewriting that run in parallel, besides
                     searches.
    rerank_queue:    number of requests with reranking or rewriting that may wait for a thread;
                     further requests get 429.
    answer_threads:  number of answers that are written in parallel, besides searches.
    answer_queue:    number of requests for answers that may wait for a thread; further requests get
                     429.
    answer_seconds:  time limit in seconds of an answer, with its search; then the reply is 504, or
                     a stream ends with an error.
    embed_threads:   number of requests for embeddings that run in parallel, besides searches.
    embed_queue:     number of requests for embeddings that may wait for a thread; further requests
                     get 429.
    embed_seconds:   time limit in seconds of a request for embeddings; then the reply is 504.
    device:          device that models run on; None: as configured for each collection, reranker,
                     generator or rewriter, by default "auto".
    shutdown_seconds: seconds that running requests and jobs have to finish when the server stops.
    snapshots:       where snapshots of collections are stored: a folder, or a URL such as
                     `s3://bucket/prefix`; without it, requests cannot take or restore snapshots.
    snapshots_keep:  number of the newest snapshots of each collection to keep; 0: all.
    snapshot_rate:   maximum bytes per second of a snapshot or restoration; 0: no limit.
    traces:          address of an OpenTelemetry collector, such as `http://collector:4318`, which
                     gets the spans of requests. Needs the extra `otel`; without it, a variable
                     OTEL_EXPORTER_OTLP_ENDPOINT may name the collector.
    traces_sampling: share of the requests whose spans are sent; without it, the variables
                     OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG apply, by default all.
    access_log:      log every request.
    log_level:       lowest level of messages to log: "debug", "info", "warning" or "error".
    log_format:      "text": lines of text; "json": one JSON object per line.
    root_path:       path under which a reverse proxy serves this server, such as `/search`.
    cors_origins:    origins whose pages may call the interface from a browser; `*`: any origin.
    search_seconds:  time limit in seconds of a search, a batch, an HTML page or a reranking; after
                     it, the reply is 504.
    body_memory:     maximum bytes of all request bodies in memory together; further requests get
                     503.
    reply_memory:    maximum bytes of all large replies that clients have not yet read; further
                     requests with a large reply get 503.
    page_bytes:      maximum bytes of all titles, texts and metadata in a page of hits or documents.
    query_chars:     maximum characters of a query. All queries of a batch together may have ten
                     times as many.
    batch_depth:     maximum sum of `depth` over the searches of a batch.
    max_connections: maximum number of open connections; at the maximum, idle ones are closed.
    head_seconds:    maximum seconds that the server waits for a request and all of its headers.
    idle_seconds:    seconds from the last reply until an idle connection is closed.
    stall_seconds:   length in seconds of the time window for `min_rate`.
    min_rate:        minimum speed in bytes per second. A connection that receives a body or sends a
                     reply more slowly, over `stall_seconds`, is closed.
    """

    api_key: SecretStr | None = None
    keys: Path | None = None
    without_keys: bool = False
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    trusted_proxies: tuple[str, ...] = ("127.0.0.1", "::1")
    audit_log: Path | None = None
    audit_chain: bool = False
    allowed_hosts: tuple[str, ...] = ()
    max_body_bytes: Annotated[int, Bounds(1_024, 1 << 40)] = 16 << 20
    max_bulk_bytes: Annotated[int, Bounds(1_024, 1 << 40)] = 1 << 30
    job_bytes: Annotated[int, Bounds(0, 1 << 40)] = 8 << 20
    job_documents: Annotated[int, Bounds(0, 1_000_000_000)] = 1_000
    workers: Annotated[int, Bounds(1, 64)] = 1
    threads: Annotated[int, Bounds(0, 256)] = 0
    queue: Annotated[int, Bounds(0, 1_000_000)] = 128
    queue_seconds: Annotated[float, Bounds(0.001, 3_600)] = 0.1
    query_batch: Annotated[int, Bounds(1, 1_024)] = DEFAULT_MOST
    bulk_share: Annotated[float, Bounds(0.01, 1.0)] = 0.25
    rerankers: Path | None = None
    generators: Path | None = None
    rewriters: Path | None = None
    models: tuple[str, ...] = ()
    rerank_threads: Annotated[int, Bounds(1, 256)] = 4
    rerank_queue: Annotated[int, Bounds(0, 1_000_000)] = 16
    answer_threads: Annotated[int, Bounds(1, 256)] = 4
    answer_queue: Annotated[int, Bounds(0, 1_000_000)] = 16
    answer_seconds: Annotated[float, Bounds(0.0001, 3_600)] = 120.0
    embed_threads: Annotated[int, Bounds(1, 256)] = 2
    embed_queue: Annotated[int, Bounds(0, 1_000_000)] = 16
    embed_seconds: Annotated[float, Bounds(0.0001, 3_600)] = 120.0
    device: Device | None = None
    shutdown_seconds: Annotated[int, Bounds(0, 86_400)] = 30
    snapshots: Annotated[str, Field(min_length=1, max_length=4_000)] | None = None
    snapshots_keep: Annotated[int, Bounds(0, 1_000_000)] = 0
    snapshot_rate: Annotated[int, Bounds(0, 1 << 50)] = 64 << 20
    traces: Annotated[str, Field(min_length=1, max_length=4_000)] | None = None
    traces_sampling: Annotated[float, Bounds(0.0, 1.0)] | None = None
    access_log: bool = False
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] = "text"
    root_path: str = Field(default="", pattern=r"^(/[A-Za-z0-9._~-]+)*$")
    cors_origins: tuple[str, ...] = ()
    search_seconds: Annotated[float, Bounds(0.0001, 3_600)] = 30.0
    body_memory: Annotated[int, Bounds(1_024, 1 << 50)] = 256 << 20
    reply_memory: Annotated[int, Bounds(1_024, 1 << 50)] = 256 << 20
    page_bytes: Annotated[int, Bounds(1_024, 1 << 40)] = 32 << 20
    query_chars: Annotated[int, Bounds(1, 1 << 30)] = 100_000
    batch_depth: Annotated[int, Bounds(1, 1_000_000)] = 100_000
    max_connections: Annotated[int, Bounds(1, 100_000)] = 1_000
    head_seconds: Annotated[float, Bounds(0.001, 3_600)] = 10.0
    idle_seconds: Annotated[float, Bounds(0.001, 3_600)] = 30.0
    stall_seconds: Annotated[float, Bounds(0.001, 3_600)] = 20.0
    min_rate: Annotated[int, Bounds(0, 1 << 30)] = 1_024

    _sources: dict[str, str] = PrivateAttr(default_factory=dict)

    @field_validator("api_key")
    @classmethod
    def _printable(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        key = value.get_secret_value().strip()
        if not key:
            raise ValueError("is empty; set a key, or unset it to serve without a key")
        if not (key.isascii() and key.isprintable()):
            raise ValueError("must be printable ASCII, because clients send it in a header")
        return SecretStr(key)

    @field_validator("root_path", mode="before")
    @classmethod
    def _without_slash(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        first = value.strip("/").partition("/")[0]
        if first in _OWN_PATHS:
            raise ValueError(
                f"{value!r} begins with a path that the server itself uses; choose another path"
            )
        return value.rstrip("/")

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if origin != "*" and not _ORIGIN.fullmatch(origin):
                raise ValueError(
                    f"{origin!r} is not an origin; write it as https://app.example or use *"
                )
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            try:
                ipaddress.ip_network(one)
            except ValueError:
                raise ValueError(
                    f"{one!r} is not an IP address or a network such as 10.0.0.0/8"
                ) from None
        return value

    @field_validator("allowed_hosts", "cors_origins", "trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(name.strip().lower() for name in value.split(",") if name.strip())

    @field_validator("models", mode="before")
    @classmethod
    def _split_models(cls, value: object) -> object:
        return split_models(value) if isinstance(value, str) else value

    @property
    def search_threads(self) -> int:
        """Number of threads for searches of a worker: `threads`, or its part of the CPUs if 0."""
        return self.threads or -(-usable_cpus() // self.workers)

    @classmethod
    def from_environment(
        cls,
        environment: Mapping[str, str],
        *,
        file: Path | None = None,
        given: Mapping[str, object] | None = None,
    ) -> Settings:
        """Return settings from a TOML file, environment variables `TWINDEX_*` and options.

        given: setting -> value of its option. An option overrides a variable, and a variable
        overrides the file.

        Raises ConfigError for an invalid setting. The error names the option, the variable, or the
        file and field. Logs a warning for each unknown variable.
        """
        values: dict[str, object] = {}
        sources: dict[str, str] = {}
        if file is not None:
            values |= parse_toml(file, dict)
            sources |= {name: f"{file}: {name}" for name in values}
        for name, value in environment.items():
            if not name.startswith(PREFIX) or name in ELSEWHERE:
                continue
            field = name.removeprefix(PREFIX).lower()
            if field in cls.model_fields:
                values[field], sources[field] = value, name
            else:
                logger.warning("%s is not a setting of the server and is ignored", name)
        for field, chosen in (given or {}).items():
            values[field], sources[field] = chosen, option(field)
        try:
            found = cls.model_validate(values, context=TEXTS)
        except ValidationError as error:
            # Without `include_input=False`, the error could contain the API key.
            first = error.errors(include_url=False, include_input=False)[0]
            field = str(first["loc"][0])
            message = first["msg"].removeprefix("Value error, ")
            if first["type"] == "extra_forbidden":
                message = f"unknown setting; the settings are {', '.join(sorted(cls.model_fields))}"
            raise ConfigError(message, field=sources.get(field, field)) from None
        found._sources.update(sources)
        return found

    @property
    def sources(self) -> dict[str, str]:
        """Setting -> option, variable, or file and field that sets it."""
        return self._sources

    def source(self, name: str) -> str:
        """Return where the value of a setting comes from.

        The result is the option, the variable, or the file and field; "default", or "argument" for
        a value that a program has set.
        """
        if getattr(self, name) == type(self).model_fields[name].default:
            return self._sources.get(name, "default")
        return self._sources.get(name, "argument")


def usable_cpus() -> int:
    """Return the number of CPUs on which this process may run."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def option(field: str) -> str:
    """Return the command-line option for a field: `--rrf-k` for `rrf_k`."""
    return "--" + field.replace("_", "-")
