"""Models of replies about the server: its models, state and limits."""

from __future__ import annotations

from typing import Literal

from .shape import Shape


class Model(Shape):
    """A model that the server uses.

    id:         name; requests name a reranker by it.
    object:     always "model", as OpenAI's clients expect.
    owned_by:   always "twindex".
    type:       encoder or reranker.
    kind:       kind of encoder or reranker.
    status:     whether it can be used.
    created:    start of the server, in Unix seconds.
    legs:       of an encoder: the legs that use it, as `collection/leg`.
    weights:    of a reranker: its model; null if it has none of its own.
    candidates: of a reranker: default number of hits to rerank.
    """

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    type: Literal["encoder", "reranker"]
    kind: str
    status: Literal["loading", "ready", "unavailable"]
    legs: list[str] | None = None
    weights: str | None = None
    candidates: int | None = None


class ModelList(Shape):
    """The encoders and rerankers of the server.

    object: always "list", as OpenAI's clients expect.
    data:   the models.
    """

    object: Literal["list"]
    data: list[Model]


class Alive(Shape):
    """The process runs.

    status: always "ok".
    """

    status: Literal["ok"]


class Health(Shape):
    """The state of the server.

    status:      "unwritable" means that writes fail. A read-only folder is not "unwritable".
    writable:    true if writes work.
    problem:     why writes fail.
    collections: collection -> status.
    rerankers:   reranker -> status.
    """

    status: Literal["ok", "loading", "degraded", "unwritable"]
    writable: bool
    problem: str | None
    collections: dict[str, str]
    rerankers: dict[str, str]


class Info(Shape):
    """The version and limits of the server.

    name:        always "twindex".
    version:     version of the server.
    limits:      limit -> value, such as the maximum size of a body in bytes.
    collections: number of collections.
    """

    name: str
    version: str
    limits: dict[str, int]
    collections: int
