"""Pydantic models of replies about the server: its models, state and limits."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .shape import Shape


class Model(Shape):
    """An encoder, a reranker, a generator, a background or a rewriter of the server.

    id:         name of the model, by which requests select it. It is unique among the models of a
                type. An encoder that shares its name with another model has the id of its first
                leg, as `collection/leg`.
    object:     always "model", as OpenAI's clients expect.
    owned_by:   always "twindex".
    type:       "encoder", "reranker", "generator", "background" or "rewriter"; "answers" for a
                collection as a model for OpenAI's and Cohere's clients: `rag:COLLECTION` or
                `rag:COLLECTION:GENERATOR`.
    kind:       kind within the type, such as "cross_encoder" for a reranker.
    status:     "ready"; "loading"; "unavailable" if it could not be loaded.
    created:    time when the server started, in Unix seconds.
    legs:       only for an encoder: the legs that use it, as `collection/leg`.
    weights:    name or folder of the weights; null without weights of its own. Not for an encoder.
    candidates: only for a reranker: default number of hits to rerank.
    """

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    type: Literal["encoder", "reranker", "generator", "background", "rewriter", "answers"]
    kind: str
    status: Literal["loading", "ready", "unavailable"]
    legs: list[str] | None = None
    weights: str | None = None
    candidates: int | None = None


class ModelList(Shape):
    """The models of the server, and its collections as models.

    object: always "list", as OpenAI's clients expect.
    data:   the rerankers, generators, backgrounds, rewriters, encoders and collections.
    """

    object: Literal["list"]
    data: list[Model]


class Alive(Shape):
    """The reply of a running server.

    status: always "ok".
    """

    status: Literal["ok"]


class Health(Shape):
    """The state of the server.

    status:      "ok"; "loading"; "degraded": a collection or part cannot be used; "unwritable":
                 writes fail, although the folder is not meant to be read-only.
    writable:    true if writes work; false also for a read-only folder.
    problem:     why writes fail.
    collections: name of a collection -> its status.
    rerankers:   name of a reranker -> its status.
    generators:  name of a generator -> its status.
    backgrounds: name of a background -> its status.
    rewriters:   name of a rewriter -> its status.
    workers:     number of a worker -> its state; only if the server has several workers.
    """

    status: Literal["ok", "loading", "degraded", "unwritable"]
    writable: bool
    problem: str | None
    collections: dict[str, str]
    rerankers: dict[str, str]
    generators: dict[str, str]
    backgrounds: dict[str, str]
    rewriters: dict[str, str]
    workers: dict[str, str] = Field(default_factory=dict)


class Info(Shape):
    """The version and limits of the server.

    name:        always "twindex".
    version:     version of Twindex.
    limits:      name of a limit -> value, such as the maximum size of a body in bytes.
    collections: number of collections.
    """

    name: str
    version: str
    limits: dict[str, int]
    collections: int
