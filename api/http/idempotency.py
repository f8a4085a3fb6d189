"""`Idempotency-Key`: a repeated request gets the stored reply of the first one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from ...core.filters import show_filter
from ...index.store.jobs import Reply
from ...index.store.upload import Upload
from ..serving.access.seen import Seen
from ..serving.problems import Problem
from ..serving.served import Served
from .render import job

_KEY = re.compile(r"[\x21-\x7e]{1,255}")

Work = Callable[[Served], tuple[int, Any]]
"""Does the work of a request. Returns the status and the JSON value of the reply."""
Keep = Callable[[int, bytes], None]
"""Stores the status and body of a reply, for later requests with the same key."""


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to queue.

    kind:        the work of the job, such as "merge".
    total, unit: size of the work and its unit, for progress. total None: the size is unknown.
    result:      initial value of the job's result.
    id:          id of the job, if a body was already uploaded for this id; None: a new id.
    """

    kind: str
    unit: str
    total: int | None = None
    result: Mapping[str, Any] = field(default_factory=dict)
    id: str | None = None


async def once(request: Request, collection: str, digest: str, work: Work) -> Response:
    """Do `work` and return its reply, or return the stored reply for the same `Idempotency-Key`.

    Only successful replies are stored, for 24 hours.

    digest: hash of the request's body.

    Raises Problem 422 if the key was used for another request, and 409 while the first request
    runs.
    """

    def answer(served: Served, keep: Keep) -> Response:
        status, value = work(served)
        body = orjson.dumps(value)
        keep(status, body)
        return _response(status, body)

    return await _once(request, collection, digest, answer)


async def enqueue(
    request: Request,
    collection: str,
    digest: str,
    check: Callable[[Served], NewJob],
    upload: Upload | None = None,
    holder: Served | None = None,
) -> Response:
    """Queue the job that `check` returns, once for each `Idempotency-Key`. Reply 202 with the job.

    The job and its stored reply become durable in one transaction. A request that is repeated after
    a crash or on a full disk therefore never queues a second job.

    digest: hash of the request's body.
    upload: file that the job reads. It is removed if no job is queued.
    holder: holder of the job, if that is not the collection.

    Raises the same Problems as `once`.
    """
    service: Seen = request.state.service

    def answer(served: Served, keep: Keep) -> Response:
        jobs = served.job_store()
        new, within = check(served), service.access.filter
        with jobs.transaction():  # Nothing can replace the folder of the collection meanwhile.
            if upload is not None and new.id is not None:
                upload.move(jobs.lines(new.id))
            queued = jobs.create(
                new.id or jobs.new_id(),
                new.kind,
                total=new.total,
                unit=new.unit,
                result=new.result,
                owner=service.access.owner,
                filter=None if within is None else show_filter(within),
            )
            body = orjson.dumps(job(served.name, queued))
            keep(202, body)
        if upload is not None:
            upload.keep()
        service.submit(served, queued.id)
        request.state.audit.update(job=queued.id, kind=new.kind)
        return _response(202, body)

    try:
        response = await _once(request, collection, digest, answer, holder)
    except Exception:  # Not after a cancellation: a thread may still queue the job.
        if upload is not None:
            upload.discard()
        raise
    if upload is not None:
        upload.discard()  # After a stored reply: the first request queued the job.
    if response.status_code == 202:
        response.headers["Location"] = f"/v1/jobs/{orjson.loads(response.body)['id']}"
    return response


async def _once(
    request: Request,
    collection: str,
    digest: str,
    answer: Callable[[Served, Keep], Response],
    holder: Served | None = None,
) -> Response:
    service: Seen = request.state.service
    key = request.headers.get("idempotency-key")

    async def write(work: Callable[[Served], Response]) -> Response:
        if holder is not None:
            return await service.writers.run(work, holder)
        return await service.write(collection, work)

    if key is None:
        return await write(lambda served: answer(served, _forget))
    if not _KEY.fullmatch(key):
        raise Problem(422, "Idempotency-Key must have 1 to 255 visible ASCII characters")
    if owner := service.access.owner:
        key = f"{owner} {key}"  # Keys of other owners are other keys.
    where = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if within := service.access.filter:
        digest = f"{digest} {within}"  # The same request of another user has another effect.
    request_digest = sha256(f"{request.method} {where} {digest}".encode()).hexdigest()
    served = holder or await service.served(collection)
    if key in served.busy_keys:
        detail = "a request with this Idempotency-Key is still running; try again later"
        raise Problem(409, detail, code="in_progress")
    served.busy_keys.add(key)
    try:
        return await write(lambda served: _keyed(served, key, request_digest, answer))
    finally:
        served.busy_keys.discard(key)


def _forget(status: int, body: bytes) -> None:
    """Store no reply, because the request has no `Idempotency-Key`."""


def _keyed(
    served: Served, key: str, digest: str, answer: Callable[[Served, Keep], Response]
) -> Response:
    jobs = served.job_store()
    kept = jobs.recall(key)
    if kept is None:
        return answer(served, lambda status, body: jobs.remember(key, Reply(digest, status, body)))
    if kept.digest != digest:
        raise Problem(
            422,
            "this Idempotency-Key was used for another request; send a new key",
            code="idempotency_key_reused",
        )
    response = _response(kept.status, kept.body)
    response.headers["Idempotent-Replayed"] = "true"
    return response


def _response(status: int, body: bytes) -> Response:
    return Response(body, status, media_type="application/json")
