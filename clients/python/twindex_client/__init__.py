"""The client of a Twindex service.

    from twindex_client import Client

    with Client("http://127.0.0.1:8080") as client:
        for hit in client.open("birds").search("flightless bird"):
            print(hit.id, hit.score)

`AsyncClient` has the same methods for asyncio.
"""

from .client import (
    AsyncClient,
    AsyncRemoteCollection,
    Client,
    CollectionState,
    Job,
    RemoteCollection,
    Reranked,
)
from .core.answers import (
    Answer,
    AnswerEvent,
    CitationEvent,
    DoneEvent,
    SourcesEvent,
    TextEvent,
    UsageEvent,
)
from .core.errors import (
    AccessError,
    ConfigError,
    ConflictError,
    EncoderMismatchError,
    InvalidInputError,
    MissingExtraError,
    ModelError,
    NotFoundError,
    PreconditionFailedError,
    ServiceError,
    StorageError,
    TimeLimitError,
    TwindexError,
    UnavailableError,
    UnsupportedError,
)
from .core.results import SearchResult, UpdateReport, WriteReport
from .core.types import Document, Hit

__all__ = [
    "AccessError",
    "Answer",
    "AnswerEvent",
    "AsyncClient",
    "AsyncRemoteCollection",
    "CitationEvent",
    "Client",
    "CollectionState",
    "ConfigError",
    "ConflictError",
    "Document",
    "DoneEvent",
    "EncoderMismatchError",
    "Hit",
    "InvalidInputError",
    "Job",
    "MissingExtraError",
    "ModelError",
    "NotFoundError",
    "PreconditionFailedError",
    "RemoteCollection",
    "Reranked",
    "SearchResult",
    "ServiceError",
    "SourcesEvent",
    "StorageError",
    "TextEvent",
    "TimeLimitError",
    "TwindexError",
    "UnavailableError",
    "UnsupportedError",
    "UpdateReport",
    "UsageEvent",
    "WriteReport",
]
