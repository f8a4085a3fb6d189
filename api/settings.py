"""Settings of the server, from environment variables `TWINDEX_*`."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import SecretStr, ValidationError, field_validator

from ..core import Config, ConfigError
from ..core.bounds import Bounds
from ..core.config import Device
from ..llm.weights import split_models

PREFIX = "TWINDEX_"
ELSEWHERE = {"TWINDEX_ALLOW_DOWNLOAD", "TWINDEX_DATA"}
"""Variables that other parts read."""

logger = logging.getLogger(__name__)


class Settings(Config):
    """The variable of a setting is its name in capitals after `TWINDEX_`.

    api_key:         when set, every request but `/livez` and `/readyz` must show it.
    allowed_hosts:   names in `Host` and `Origin` that are this server, as a proxy has them.
    max_body_bytes:  largest body of a request, bulk excepted.
    max_bulk_bytes:  largest bulk body.
    job_bytes:       a larger bulk body becomes a job ...
    job_documents:   ... and so does one of more documents.
    threads:         searches that run at the same time; 0 = one for each CPU.
    queue:           requests that may wait for a thread; more are answered 429.
    rerankers:       TOML file of the rerankers that requests may name; without it there are none.
    models:          models that requests may name beside those that are configured, installed as
                     packages or in the hub's cache: names and folders, by commas.
    rerank_threads:  requests that are reranked at the same time, beside the searches ...
    rerank_queue:    ... and how many more may wait; beyond that they are answered 429.
    device:          where models run; None = as each collection or reranker was configured, which
                     is "auto" unless it says otherwise.
    shutdown_seconds: how long requests and jobs under way may take to end when the server stops.
    access_log:      log every request.
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

    @field_validator("allowed_hosts", mode="before")
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
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Raises ConfigError that names the variable. Unknown ones are logged as a warning."""
        values = {}
        for name, value in environment.items():
            if not name.startswith(PREFIX) or name in ELSEWHERE:
                continue
            field = name.removeprefix(PREFIX).lower()
            if field in cls.model_fields:
                values[field] = value
            else:
                logger.warning("%s is not a setting of the server; it is ignored", name)
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            # `include_input` is off so that a key can never reach a log.
            first = error.errors(include_url=False, include_input=False)[0]
            variable = PREFIX + str(first["loc"][0]).upper()
            raise ConfigError(first["msg"].removeprefix("Value error, "), field=variable) from None
