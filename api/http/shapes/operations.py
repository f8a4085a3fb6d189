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
                 writes fail, although the folder is not meant to be read-only. Searches work.
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


class PartChanges(Shape):
    """Names of parts, by what a reload did with them.

    added:   new parts.
    changed: parts whose configuration has changed; they are loaded again.
    removed: parts that are no longer configured.
    kept:    parts that stay as they are.
    """

    added: list[str]
    changed: list[str]
    removed: list[str]
    kept: list[str]


class Reloaded(Shape):
    """What a reload changed, for each table of the files.

    rerankers:   tables `[rerankers.NAME]`.
    generators:  tables `[generators.NAME]`.
    backgrounds: tables `[backgrounds.NAME]`.
    rewriters:   tables `[rewriters.NAME]`.
    """

    rerankers: PartChanges
    generators: PartChanges
    backgrounds: PartChanges
    rewriters: PartChanges


class ModelNames(Shape):
    """Names that requests may use.

    encoders:    encoders of the collections that the key sees, for embeddings.
    rerankers:   rerankers.
    generators:  generators of answers.
    backgrounds: backgrounds of answers.
    rewriters:   rewriters of queries.
    """

    encoders: list[str]
    rerankers: list[str]
    generators: list[str]
    backgrounds: list[str]
    rewriters: list[str]


class KeyInfo(Shape):
    """What the key of a request may do.

    id:            id of the key; "" without a key.
    name:          name of the key, for people; "" without one.
    scopes:        scopes of the key; all without a key.
    collections:   names of the collections that it sees. `*` stands for any characters.
    filtered:      true if a filter applies to all documents that it reads or writes.
    requests:      maximum number of requests in a minute; null: no limit.
    concurrent:    maximum number of requests at the same time; null: no limit.
    model_seconds: seconds that language models may work in a minute; null: no limit.
    """

    id: str
    name: str
    scopes: list[Literal["read", "write", "admin"]]
    collections: list[str]
    filtered: bool
    requests: int | None
    concurrent: int | None
    model_seconds: float | None


class SettingInfo(Shape):
    """The value of a setting, and where it comes from.

    value:  the value; "(set)" for a secret.
    source: option, environment variable, or file and field that sets it; "default"; "argument" for
            an argument of the Python function.
    """

    value: bool | int | float | str | list[str] | None
    source: str


class Info(Shape):
    """The version, features, models and limits of the server.

    name:           always "twindex".
    version:        version of Twindex.
    started:        time when the server started, in ISO 8601.
    uptime_seconds: seconds since then.
    workers:        number of processes that answer requests.
    formats:        kind of files on disk -> the version of its format that the server writes.
    features:       extra of the package, such as "s3" -> whether it is installed.
    capabilities:   what this server offers beyond search and writes, such as "snapshots".
    models:         names that requests may use.
    limits:         name of a setting that limits requests -> its value.
    collections:    number of collections that the key sees.
    key:            what the key of the request may do.
    settings:       setting -> value and source; only for the scope "admin" and a key that sees all
                    collections.
    """

    name: str
    version: str
    started: str
    uptime_seconds: int
    workers: int
    formats: dict[str, int]
    features: dict[str, bool]
    capabilities: list[str]
    models: ModelNames
    limits: dict[str, int | float]
    collections: int
    key: KeyInfo
    settings: dict[str, SettingInfo] | None = None
