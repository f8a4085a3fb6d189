"""Settings of the server, from environment variables `TWINDEX_*`."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator

from ...core import Config, ConfigError
from ...core.bounds import Bounds
from ...core.config import Device
from ...core.toml import parse_toml
from ...llm.weights.places import split_models

PREFIX = "TWINDEX_"
ELSEWHERE = {"TWINDEX_ALLOW_DOWNLOAD", "TWINDEX_CACHE", "TWINDEX_DATA", "TWINDEX_DEBUG"}
"""Variables that other parts read."""

OPEN_PATHS = frozenset({"/livez", "/readyz"})
"""Answered without a key: whoever watches the process has none."""

_OWN_PATHS = {"v1", "v2", "rerank", "metrics", "docs", "static", "openapi.json", "healthz"}
_ORIGIN = re.compile(r"https?://[a-z0-9.\[\]:_-]+")

logger = logging.getLogger(__name__)


class Settings(Config):
    """The variable of a setting is its name in capitals after `TWINDEX_`.

    api_key:         key that every request must have, except `/livez` and `/readyz`.
    allowed_hosts:   names of this server that `Host` and `Origin` may have, e.g. those of a proxy.
    max_body_bytes:  largest body of a request, except bulk requests.
    max_bulk_bytes:  largest body of a bulk request.
    job_bytes:       a bulk request with a larger body becomes a job.
    job_documents:   a bulk request with more documents becomes a job.
    threads:         searches that run at the same time; 0 = one for each CPU.
    queue:           requests that may wait for a thread; more are answered 429.
    rerankers:       TOML file of the rerankers that requests may name; without it there are none.
    models:          models that requests may name beside those that are configured, installed as
                     packages or in the hub's cache: names and folders, by commas.
    rerank_threads:  requests that are reranked at the same time, beside the searches.
    rerank_queue:    requests that may wait for a reranker; more are answered 429.
    device:          where models run; None = as each collection or reranker was configured, which
                     is "auto" unless it says otherwise.
    shutdown_seconds: how long requests and jobs under way may take to end when the server stops.
    access_log:      log every request.
    log_level:       what is logged: this level and above.
    log_format:      lines of text, or one JSON object a line.
    root_path:       path under which a reverse proxy serves this server, such as `/search`.
    cors_origins:    pages of these origins may call the interface from a browser; `*` = any.
    search_seconds:  longest time for a search, a batch, a page or a reranking; beyond it the answer
                     is 504.
    body_memory:     bytes of request bodies held at once, of all requests together; beyond it 503.
    reply_memory:    bytes of large replies held at once until they are read; beyond it 503.
    page_bytes:      largest sum of titles, texts and metadata in one page of hits.
    query_chars:     longest query of a search; a batch may have ten times as many in all.
    batch_depth:     largest sum of documents that the searches of a batch take from their legs.
    max_connections: open connections; beyond it those without a request under way are closed.
    head_seconds:    longest time from the first wait for a request to the end of its headers.
    idle_seconds:    an idle connection is closed this long after its last answer.
    stall_seconds:   a body or a reply must make progress within this time: less than `min_rate`
                     bytes a second over it, and the connection is closed.
    min_rate:        bytes a second; see `stall_seconds`.
    """

    api_key: SecretStr | None = None
    allowed_hosts: tuple[str, ...] = ()
    max_body_bytes: Annotated[int, Bounds(1_024, 1 << 40)] = 16 << 20
    max_bulk_bytes: Annotated[int, Bounds(1_024, 1 << 40)] = 1 << 30
    job_bytes: Annotated[int, Bounds(0, 1 << 40)] = 8 << 20
    job_documents: Annotated[int, Bounds(0, 1_000_000_000)] = 1_000
    threads: Annotated[int, Bounds(0, 256)] = 0
    queue: Annotated[int, Bounds(0, 1_000_000)] = 128
    rerankers: Path | None = None
    models: tuple[str, ...] = ()
    rerank_threads: Annotated[int, Bounds(1, 256)] = 4
    rerank_queue: Annotated[int, Bounds(0, 1_000_000)] = 16
    device: Device | None = None
    shutdown_seconds: Annotated[int, Bounds(0, 86_400)] = 30
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

    @field_validator("api_key")
    @classmethod
    def _printable(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        key = value.get_secret_value().strip()
        if not key:
            raise ValueError("is set but empty: give a key, or unset it to serve without one")
        if not (key.isascii() and key.isprintable()):
            raise ValueError("has control or non-ASCII characters, which headers cannot carry")
        return SecretStr(key)

    @field_validator("root_path", mode="before")
    @classmethod
    def _without_slash(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        first = value.strip("/").partition("/")[0]
        if first in _OWN_PATHS:
            raise ValueError(f"{value!r} begins as paths of the server do; choose another name")
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

    @field_validator("allowed_hosts", "cors_origins", mode="before")
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
    def workers(self) -> int:
        """Threads that run searches."""
        return self.threads or os.cpu_count() or 1

    @classmethod
    def from_environment(
        cls,
        environment: Mapping[str, str],
        *,
        file: Path | None = None,
        given: Mapping[str, object] | None = None,
    ) -> Settings:
        """Settings from a TOML file, variables and given values; the later ones win.

        Raises ConfigError that names the variable, the option of a given value, or the file and its
        field. Unknown variables are logged as a warning.
        """
        values: dict[str, object] = {}
        places: dict[str, str] = {}
        if file is not None:
            values |= parse_toml(file, dict)
            places |= {name: f"{file}: {name}" for name in values}
        for name, value in environment.items():
            if not name.startswith(PREFIX) or name in ELSEWHERE:
                continue
            field = name.removeprefix(PREFIX).lower()
            if field in cls.model_fields:
                values[field], places[field] = value, name
            else:
                logger.warning("%s is not a setting of the server; it is ignored", name)
        for field, chosen in (given or {}).items():
            values[field], places[field] = chosen, option(field)
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            # `include_input` is off so that a key can never reach a log.
            first = error.errors(include_url=False, include_input=False)[0]
            field = str(first["loc"][0])
            message = first["msg"].removeprefix("Value error, ")
            if first["type"] == "extra_forbidden":
                message = f"unknown; the settings are {', '.join(sorted(cls.model_fields))}"
            raise ConfigError(message, field=places.get(field, field)) from None


def option(field: str) -> str:
    """The option of the command line for a setting or another field."""
    return "--" + field.replace("_", "-")
