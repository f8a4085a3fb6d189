"""Opens collections and clients from names and addresses, which a saved pipeline contains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from haystack.utils import Secret

from ...client import Client
from ...core.errors import InvalidInputError, MissingExtraError

KEY = Secret.from_env_var("TWINDEX_API_KEY", strict=False)
"""The API key of the service, from the environment. No key is sent if the variable is not set."""


def client(url: str, api_key: Secret | None) -> Client:
    """Return a client of a service.

    api_key: secret with the API key. None, or a variable that is not set: no key is sent.
    """
    return Client(url, api_key=None if api_key is None else api_key.resolve_value())


def local(path: str, config: Mapping[str, Any] | None) -> Any:
    """Open the collection in a folder, or create it.

    Raises MissingExtraError if only the client of Twindex is installed.
    """
    try:
        from ...index import CollectionConfig
        from ...search import Collection
    except ModuleNotFoundError as error:
        if not (error.name or "").endswith((".index", ".search")):
            raise
        raise MissingExtraError("twindex with local collections", "haystack") from None
    parsed = None if config is None else CollectionConfig.parse(config)
    return Collection.open_or_create(path, parsed)


def reranker(spec: str) -> Any:
    """Load the reranker that a spec of the command line describes, such as `cross-encoder:NAME`.

    Raises MissingExtraError if only the client of Twindex is installed.
    """
    try:
        from ...rerank import load_reranker, parse_spec
    except ModuleNotFoundError as error:
        if not (error.name or "").endswith(".rerank"):
            raise
        raise MissingExtraError("twindex with local rerankers", "haystack") from None
    return load_reranker(parse_spec(spec))


def check_serializable(value: object, field: str) -> None:
    """Raise InvalidInputError for an object, which cannot be part of a saved pipeline."""
    if not isinstance(value, str):
        raise InvalidInputError(
            f"a {type(value).__name__} object cannot be saved with a pipeline; pass a name or a "
            "folder, with `url` for a service",
            field=field,
        )
