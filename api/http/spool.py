"""Receive a bulk body: a small one in memory, a large one in a file for a job."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from starlette.requests import Request

from ...index.store.jobs import JobStore
from ...index.store.upload import Upload
from ..serving.access.seen import Seen
from . import body

_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Received:
    """The body of a bulk request, in memory or in a file.

    digest: SHA-256 of the body.
    lines:  number of lines.
    data:   the body; None if it is in a file.
    job:    id of the job that will read the file; None if `data` has the body.
    upload: the file, durable on disk; None if `data` has the body.
    """

    digest: str
    lines: int
    data: bytes | None
    job: str | None = None
    upload: Upload | None = None


async def receive(request: Request, jobs: JobStore, *, as_job: bool) -> Received:
    """Read the body of a bulk request.

    as_job: always write the body to a file. False: write only a body that exceeds the setting
            `job_bytes` or `job_documents` to a file.

    Raises StorageError if the file cannot be written.
    """
    service: Seen = request.state.service
    settings = request.app.state.settings
    digest = sha256()
    held = bytearray()
    size = lines = 0
    last = b"\n"
    job: str | None = None
    upload: Upload | None = None
    try:
        held_most = settings.job_bytes + 2 * _PIECE  # A larger body goes to a file.
        async for piece in body.stream(
            request, body.NDJSON, settings.max_bulk_bytes, held=held_most
        ):
            digest.update(piece)
            size += len(piece)
            lines += piece.count(b"\n")
            last = piece[-1:]
            held += piece
            if upload is None and (
                as_job or size > settings.job_bytes or lines > settings.job_documents
            ):
                job = jobs.new_id()
                upload = jobs.upload(job)
            if upload is not None and len(held) >= _PIECE:
                await service.writers.run(upload.write, bytes(held))
                held.clear()
        lines += last != b"\n"
        if upload is not None:
            await service.writers.run(_finish, upload, bytes(held))
            return Received(digest.hexdigest(), lines, None, job, upload)
        return Received(digest.hexdigest(), lines, bytes(held))
    except BaseException:
        if upload is not None:
            upload.discard()
        raise


def _finish(upload: Upload, rest: bytes) -> None:
    upload.write(rest)
    upload.sync()
