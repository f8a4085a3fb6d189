"""The client of the REST service. It needs only an HTTP library: no model, no index, no numpy.

    with Client("http://127.0.0.1:8080") as client:
        for hit in client.open("birds").search("flightless bird").hits:
            print(hit.id, hit.score)

`AsyncClient` is the same for asyncio. What fails raises the errors of `twindex`: `NotFoundError`,
`InvalidInputError`, and `UnavailableError` for a service that cannot be reached in time.
"""

from .asynchronous import AsyncClient, AsyncRemoteCollection
from .blocking import Client, RemoteCollection
from .replies import CollectionState, Job, Reranked

__all__ = [
    "AsyncClient",
    "AsyncRemoteCollection",
    "Client",
    "CollectionState",
    "Job",
    "RemoteCollection",
    "Reranked",
]
