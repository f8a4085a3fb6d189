"""Twindex: dense, sparse and lexical retrieval in one durable index.

    import twindex

    birds = twindex.open_or_create("birds")
    birds.add([{"id": "kiwi", "text": "The kiwi cannot fly."}])
    print(birds.search("flightless bird"))

Most programs need only `twindex.open` and the names in `__all__`. Each name is imported at its
first use, so `import twindex` is quick. Import the sub-packages, such as `twindex.eval`, by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from .client import AsyncClient, Client
    from .core.answers import Answer
    from .core.errors import (
        AccessError,
        ConfigError,
        ConflictError,
        CorruptFileError,
        EncoderMismatchError,
        InvalidInputError,
        MissingExtraError,
        ModelError,
        NotFoundError,
        PreconditionFailedError,
        ServiceError,
        SourceError,
        StorageError,
        TimeLimitError,
        TwindexError,
        UnavailableError,
        UnsupportedByStoreError,
        UnsupportedError,
    )
    from .core.kinds import register
    from .core.results import SearchResult, UpdateReport, WriteReport
    from .core.types import Document, Hit
    from .index import CollectionConfig
    from .search import (
        AnswerRequest,
        Collection,
        GeneratorRegistry,
        RerankerRegistry,
        RewriterRegistry,
        SearchRequest,
        build,
        sync,
    )

__version__ = "0.1.0"

__all__ = [
    "AccessError",
    "Answer",
    "AnswerRequest",
    "AsyncClient",
    "Client",
    "Collection",
    "CollectionConfig",
    "ConfigError",
    "ConflictError",
    "CorruptFileError",
    "Document",
    "EncoderMismatchError",
    "GeneratorRegistry",
    "Hit",
    "InvalidInputError",
    "MissingExtraError",
    "ModelError",
    "NotFoundError",
    "PreconditionFailedError",
    "RerankerRegistry",
    "RewriterRegistry",
    "SearchRequest",
    "SearchResult",
    "ServiceError",
    "SourceError",
    "StorageError",
    "TimeLimitError",
    "TwindexError",
    "UnavailableError",
    "UnsupportedByStoreError",
    "UnsupportedError",
    "UpdateReport",
    "WriteReport",
    "__version__",
    "build",
    "create",
    "open_or_create",
    "register",
    "sync",
]

_HOMES = {
    "client": ("AsyncClient", "Client"),
    "core.answers": ("Answer",),
    "core.errors": (
        "AccessError",
        "ConfigError",
        "ConflictError",
        "CorruptFileError",
        "EncoderMismatchError",
        "InvalidInputError",
        "MissingExtraError",
        "ModelError",
        "NotFoundError",
        "PreconditionFailedError",
        "ServiceError",
        "SourceError",
        "StorageError",
        "TimeLimitError",
        "TwindexError",
        "UnavailableError",
        "UnsupportedByStoreError",
        "UnsupportedError",
    ),
    "core.kinds": ("register",),
    "core.results": ("SearchResult", "UpdateReport", "WriteReport"),
    "core.types": ("Document", "Hit"),
    "index": ("CollectionConfig",),
    "search": (
        "AnswerRequest",
        "Collection",
        "GeneratorRegistry",
        "RerankerRegistry",
        "RewriterRegistry",
        "SearchRequest",
        "build",
        "sync",
    ),
}
"""The module that defines each public name."""


def create(
    path: Path | str, config: CollectionConfig | Mapping[str, Any] | None = None, **options: Any
) -> Collection:
    """Create an empty collection in the folder `path`. See `Collection.create`.

    config: a CollectionConfig, or a mapping with its fields.
    """
    return _collection().create(path, _config(config), **options)


def open(path: Path | str, **options: Any) -> Collection:  # noqa: A001
    """Open the collection in the folder `path`. See `Collection.open`."""
    return _collection().open(path, **options)


def open_or_create(
    path: Path | str, config: CollectionConfig | Mapping[str, Any] | None = None, **options: Any
) -> Collection:
    """Open the collection in the folder `path`, or create it. See `Collection.open_or_create`.

    config: a CollectionConfig, or a mapping with its fields.
    """
    return _collection().open_or_create(path, _config(config), **options)


def _collection() -> type[Collection]:
    from .search import Collection

    return Collection


def _config(value: CollectionConfig | Mapping[str, Any] | None) -> CollectionConfig | None:
    from .index import CollectionConfig

    return CollectionConfig.parse(value) if isinstance(value, Mapping) else value


def __getattr__(name: str) -> Any:
    home = next((home for home, names in _HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module 'twindex' has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f".{home}", __name__), name)
    return found


def __dir__() -> list[str]:
    return sorted([*__all__, "open"])
