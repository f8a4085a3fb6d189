"""The client of the REST service. It requires only an HTTP library: no model, index or numpy.

    with Client("http://127.0.0.1:8080") as client:
        for hit in client.open("birds").search("flightless bird").hits:
            print(hit.id, hit.score)

`AsyncClient` has the same methods for asyncio. Failures raise the exceptions of `twindex`, such as
`NotFoundError` and `InvalidInputError`. A service that cannot be reached raises `UnavailableError`.
"""

from ..core.answers import (
    Answer,
    AnswerEvent,
    CitationEvent,
    DoneEvent,
    SourcesEvent,
    TextEvent,
    UsageEvent,
)
from .asynchronous import AsyncClient, AsyncRemoteCollection
from .blocking import Client, RemoteCollection
from .replies import CollectionState, Job, Reranked
from .signing import sign_filter

__all__ = [
    "Answer",
    "AnswerEvent",
    "AsyncClient",
    "AsyncRemoteCollection",
    "CitationEvent",
    "Client",
    "CollectionState",
    "DoneEvent",
    "Job",
    "RemoteCollection",
    "Reranked",
    "SourcesEvent",
    "TextEvent",
    "UsageEvent",
    "sign_filter",
]
