"""Limits on requests: memory for request bodies and replies, and the time of a call."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.types import Receive

from ..serving.limits.deadline import Deadline
from ..serving.problems import Problem
from ..serving.settings import Settings


class Budget:
    """A limit on the bytes that all requests reserve together.

    It has no lock, because only the event loop uses it.

    most:  maximum number of reserved bytes.
    taken: number of bytes that are reserved now.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.taken = 0

    def take(self, size: int) -> bool:
        """Reserve `size` bytes. Return False, and reserve nothing, if they do not fit.

        While nothing is reserved, any size fits, even one above `most`.
        """
        if self.taken and self.taken + size > self.most:
            return False
        self.taken += size
        return True

    def give(self, size: int) -> None:
        """Release `size` reserved bytes."""
        self.taken -= size


@dataclass(slots=True)
class Admission:
    """The memory budgets of one server: one for request bodies and one for replies."""

    bodies: Budget
    replies: Budget

    @classmethod
    def of(cls, settings: Settings) -> Admission:
        """Return the budgets of one worker, which has its part of the memory."""
        return cls(
            Budget(max(settings.body_memory // settings.workers, settings.max_body_bytes)),
            Budget(settings.reply_memory // settings.workers),
        )


@dataclass(slots=True)
class Hold:
    """The reservation of one request's body in the budget for bodies.

    size: number of reserved bytes.
    """

    budget: Budget
    size: int = 0

    def announce(self, size: int) -> None:
        """Raise Problem 503 if a body of `size` bytes does not fit into the budget now.

        Reserves nothing. A client that announces a large body and does not send it therefore blocks
        no memory.
        """
        if self.budget.taken and self.budget.taken + size > self.budget.most:
            raise _overloaded()

    def grow(self, size: int) -> None:
        """Increase the reservation to `size` bytes. Raises Problem 503 if they do not fit."""
        if size > self.size:
            if not self.budget.take(size - self.size):
                raise _overloaded()
            self.size = size

    def release(self) -> None:
        """Release the whole reservation."""
        self.budget.give(self.size)
        self.size = 0


def _overloaded() -> Problem:
    return Problem(
        503,
        "other requests use all memory for bodies (setting `body_memory`); send the request again "
        "in a few seconds",
        code="overloaded",
        headers={"Retry-After": "5", "Connection": "close"},
    )


def search_deadline(request: Request) -> Deadline:
    """Return the deadline of a search or a reranking, which also ends if the client leaves."""
    return Deadline.of(request.app.state.settings, lambda: client_left(request.receive))


def answer_deadline(request: Request) -> Deadline:
    """Return the deadline of an answer, which also ends if the client leaves."""
    return Deadline.of_answer(request.app.state.settings, lambda: client_left(request.receive))


def embedding_deadline(request: Request) -> Deadline:
    """Return the deadline of a request for embeddings, which also ends if the client leaves."""
    return Deadline.of_embedding(request.app.state.settings, lambda: client_left(request.receive))


async def client_left(receive: Receive) -> None:
    """Wait until the client has closed the connection. receive: the ASGI function."""
    while (await receive())["type"] != "http.disconnect":
        pass
