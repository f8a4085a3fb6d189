"""Aliases, snapshots, re-embedding, keys and the server: methods and calls of both clients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar
from urllib.parse import quote
from uuid import uuid4

from ..core.progress import Progress
from . import arguments, replies
from .calls import Call, Steps, as_json, wait

T = TypeVar("T")


def aliases() -> Steps[dict[str, str]]:
    reply = yield Call("GET", "/v1/aliases")
    return _aliases(reply.value)


def change_aliases(actions: Sequence[Mapping[str, Any]]) -> Steps[dict[str, str]]:
    given = [arguments.mapping(one, f"actions[{i}]") for i, one in enumerate(actions)]
    reply = yield Call("POST", "/v1/aliases", body={"actions": given})
    return _aliases(reply.value)


def set_alias(alias: str, collection: str) -> Steps[None]:
    yield from change_aliases([{"action": "set", "alias": alias, "collection": collection}])


def delete_alias(alias: str) -> Steps[None]:
    yield Call("DELETE", f"/v1/aliases/{quote(arguments.checked_text(alias, 'alias'), safe='')}")


def _aliases(value: Any) -> dict[str, str]:
    return {one["alias"]: one["collection"] for one in value["aliases"]}


def info() -> Steps[dict[str, Any]]:
    reply = yield Call("GET", "/v1/info")
    return dict(reply.value)


def reload() -> Steps[dict[str, Any]]:
    reply = yield Call("POST", "/v1/reload")
    return dict(reply.value)


def snapshot(name: str, progress: Progress | None) -> Steps[dict[str, Any]]:
    return (yield from _job(f"{arguments.collection(name)}/snapshots", None, progress))


def snapshots(name: str) -> Steps[list[dict[str, Any]]]:
    reply = yield Call("GET", f"{arguments.collection(name)}/snapshots")
    return list(reply.value["snapshots"])


def delete_snapshot(name: str, snapshot: str) -> Steps[None]:
    own = quote(arguments.checked_text(snapshot, "snapshot"), safe="")
    yield Call("DELETE", f"{arguments.collection(name)}/snapshots/{own}")


def api_keys() -> Steps[list[dict[str, Any]]]:
    reply = yield Call("GET", "/v1/keys")
    return list(reply.value["keys"])


def create_key(fields: Mapping[str, Any]) -> Steps[dict[str, Any]]:
    reply = yield Call("POST", "/v1/keys", body={**fields})
    return dict(reply.value)


def revoke_key(id: str) -> Steps[dict[str, Any]]:  # noqa: A002 - the field's name
    own = quote(arguments.checked_text(id, "id"), safe="")
    reply = yield Call("DELETE", f"/v1/keys/{own}")
    return dict(reply.value)


def restore(
    name: str, collection: str | None, snapshot: str | None, progress: Progress | None
) -> Steps[dict[str, Any]]:
    body = {"collection": collection, "snapshot": snapshot}
    return (yield from _job(f"{arguments.collection(name)}/restore", body, progress))


def reembed(name: str, legs: Mapping[str, Any], progress: Progress | None) -> Steps[dict[str, Any]]:
    given = arguments.mapping(legs, "legs")
    body = {"legs": {leg: as_json(one) for leg, one in given.items()}}
    return (yield from _job(f"{arguments.collection(name)}/reembed", body, progress))


def end_reembedding(name: str, action: str) -> Steps[bool]:
    reply = yield Call("POST", f"{arguments.collection(name)}/reembed/{action}")
    return bool(reply.value["changed"])


def _job(path: str, body: Any, progress: Progress | None) -> Steps[dict[str, Any]]:
    """Start a job, wait until it is done and return its result."""
    reporter = arguments.progress(progress)
    reply = yield Call("POST", path, body=body, headers={"Idempotency-Key": uuid4().hex})
    job = yield from wait(replies.job(reply.value).id, reporter)
    return dict(job.result)


class _Runs(Protocol):
    def run(self, steps: Steps[T]) -> T: ...


class _Awaits(Protocol):
    async def run(self, steps: Steps[T]) -> T: ...


class UpkeepMethods:
    """Methods of `Client` for aliases, snapshots, re-embedding, keys and the server."""

    def info(self: _Runs) -> dict[str, Any]:
        """Return the version, features, models and limits of the service, and what the key may do.

        A key with the scope "admin" that sees all collections gets the settings too.
        """
        return self.run(info())

    def reload(self: _Runs) -> dict[str, Any]:
        """Let the service read its files of rerankers, generators and rewriters again.

        Returns what changed. Raises ConflictError, with the reason, if everything stays as it is.
        """
        return self.run(reload())

    def aliases(self: _Runs) -> dict[str, str]:
        """Return alias -> collection. An alias works wherever the name of a collection does."""
        return self.run(aliases())

    def set_alias(self: _Runs, alias: str, collection: str) -> None:
        """Create an alias of a collection, or move it from another collection in one step."""
        self.run(set_alias(alias, collection))

    def change_aliases(self: _Runs, actions: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        """Change aliases, all or none, and return all aliases.

        actions: mappings such as {"action": "set", "alias": "birds", "collection": "birds-2"} and
                 {"action": "delete", "alias": "old"}.
        """
        return self.run(change_aliases(actions))

    def delete_alias(self: _Runs, alias: str) -> None:
        """Delete an alias. Its collection stays. Raises NotFoundError if there is none."""
        self.run(delete_alias(alias))

    def snapshot(self: _Runs, name: str, *, progress: Progress | None = None) -> dict[str, Any]:
        """Take a snapshot of a collection, wait until it is complete, and return its description.

        Raises ConflictError if the service has no place for snapshots.
        """
        return self.run(snapshot(name, progress))

    def snapshots(self: _Runs, name: str) -> list[dict[str, Any]]:
        """Return the complete snapshots of a collection, oldest first."""
        return self.run(snapshots(name))

    def delete_snapshot(self: _Runs, name: str, snapshot: str) -> None:
        """Delete a snapshot of a collection. Raises NotFoundError if there is none."""
        self.run(delete_snapshot(name, snapshot))

    def api_keys(self: _Runs) -> list[dict[str, Any]]:
        """Return the API keys that may do no more than this client's key, without secrets."""
        return self.run(api_keys())

    def create_key(self: _Runs, name: str, **fields: Any) -> dict[str, Any]:
        """Create an API key, and return it. Its secret `key` is not shown again.

        fields: further fields of `POST /v1/keys`, such as `scopes`, `collections` and `filter`.

        Raises AccessError for a key that could do more than this client's key.
        """
        return self.run(create_key({"name": name, **fields}))

    def revoke_key(self: _Runs, id: str) -> dict[str, Any]:  # noqa: A002 - the field's name
        """Revoke an API key, and return it. Raises NotFoundError for an unknown id."""
        return self.run(revoke_key(id))

    def restore(
        self: _Runs,
        name: str,
        *,
        collection: str | None = None,
        snapshot: str | None = None,
        progress: Progress | None = None,
    ) -> dict[str, Any]:
        """Restore a snapshot as the new collection `name`, and wait until it is complete.

        collection: collection that the snapshot is of. None: one with the same name.
        snapshot:   name of the snapshot. None: the newest.

        Raises ConflictError if the collection `name` exists.
        """
        return self.run(restore(name, collection, snapshot, progress))

    def reembed(
        self: _Runs, name: str, legs: Mapping[str, Any], *, progress: Progress | None = None
    ) -> dict[str, Any]:
        """Encode the documents of a collection again, and wait until it is complete.

        legs: leg -> its new configuration; None removes the leg. Other legs stay.

        The replaced collection is kept until `confirm_reembedding` or `roll_back_reembedding`.
        """
        return self.run(reembed(name, legs, progress))

    def confirm_reembedding(self: _Runs, name: str) -> bool:
        """Remove the collection that was replaced. Returns False if there is none."""
        return self.run(end_reembedding(name, "confirm"))

    def roll_back_reembedding(self: _Runs, name: str) -> bool:
        """Bring back the collection that was replaced. Returns False if there is none.

        Documents that were written since are lost.
        """
        return self.run(end_reembedding(name, "roll-back"))


class AsyncUpkeepMethods:
    """Methods of `AsyncClient` for aliases, snapshots, re-embedding, keys and the server."""

    async def info(self: _Awaits) -> dict[str, Any]:
        """Return the version, features, models and limits of the service, and what the key may do.

        A key with the scope "admin" that sees all collections gets the settings too.
        """
        return await self.run(info())

    async def reload(self: _Awaits) -> dict[str, Any]:
        """Let the service read its files of rerankers, generators and rewriters again.

        Returns what changed. Raises ConflictError, with the reason, if everything stays as it is.
        """
        return await self.run(reload())

    async def aliases(self: _Awaits) -> dict[str, str]:
        """Return alias -> collection. An alias works wherever the name of a collection does."""
        return await self.run(aliases())

    async def set_alias(self: _Awaits, alias: str, collection: str) -> None:
        """Create an alias of a collection, or move it from another collection in one step."""
        await self.run(set_alias(alias, collection))

    async def change_aliases(self: _Awaits, actions: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        """Change aliases, all or none, and return all aliases.

        actions: mappings such as {"action": "set", "alias": "birds", "collection": "birds-2"} and
                 {"action": "delete", "alias": "old"}.
        """
        return await self.run(change_aliases(actions))

    async def delete_alias(self: _Awaits, alias: str) -> None:
        """Delete an alias. Its collection stays. Raises NotFoundError if there is none."""
        await self.run(delete_alias(alias))

    async def snapshot(
        self: _Awaits, name: str, *, progress: Progress | None = None
    ) -> dict[str, Any]:
        """Take a snapshot of a collection, wait until it is complete, and return its description.

        Raises ConflictError if the service has no place for snapshots.
        """
        return await self.run(snapshot(name, progress))

    async def snapshots(self: _Awaits, name: str) -> list[dict[str, Any]]:
        """Return the complete snapshots of a collection, oldest first."""
        return await self.run(snapshots(name))

    async def delete_snapshot(self: _Awaits, name: str, snapshot: str) -> None:
        """Delete a snapshot of a collection. Raises NotFoundError if there is none."""
        await self.run(delete_snapshot(name, snapshot))

    async def api_keys(self: _Awaits) -> list[dict[str, Any]]:
        """Return the API keys that may do no more than this client's key, without secrets."""
        return await self.run(api_keys())

    async def create_key(self: _Awaits, name: str, **fields: Any) -> dict[str, Any]:
        """Create an API key, and return it. Its secret `key` is not shown again.

        fields: further fields of `POST /v1/keys`, such as `scopes`, `collections` and `filter`.

        Raises AccessError for a key that could do more than this client's key.
        """
        return await self.run(create_key({"name": name, **fields}))

    async def revoke_key(self: _Awaits, id: str) -> dict[str, Any]:  # noqa: A002 - the field's name
        """Revoke an API key, and return it. Raises NotFoundError for an unknown id."""
        return await self.run(revoke_key(id))

    async def restore(
        self: _Awaits,
        name: str,
        *,
        collection: str | None = None,
        snapshot: str | None = None,
        progress: Progress | None = None,
    ) -> dict[str, Any]:
        """Restore a snapshot as the new collection `name`, and wait until it is complete.

        collection: collection that the snapshot is of. None: one with the same name.
        snapshot:   name of the snapshot. None: the newest.

        Raises ConflictError if the collection `name` exists.
        """
        return await self.run(restore(name, collection, snapshot, progress))

    async def reembed(
        self: _Awaits, name: str, legs: Mapping[str, Any], *, progress: Progress | None = None
    ) -> dict[str, Any]:
        """Encode the documents of a collection again, and wait until it is complete.

        legs: leg -> its new configuration; None removes the leg. Other legs stay.

        The replaced collection is kept until `confirm_reembedding` or `roll_back_reembedding`.
        """
        return await self.run(reembed(name, legs, progress))

    async def confirm_reembedding(self: _Awaits, name: str) -> bool:
        """Remove the collection that was replaced. Returns False if there is none."""
        return await self.run(end_reembedding(name, "confirm"))

    async def roll_back_reembedding(self: _Awaits, name: str) -> bool:
        """Bring back the collection that was replaced. Returns False if there is none.

        Documents that were written since are lost.
        """
        return await self.run(end_reembedding(name, "roll-back"))
