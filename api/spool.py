"""Takes in a bulk body: small ones in memory, large ones in a file that a job will write."""

from __future__ import annotations

import os
from dataclasses import dataclass
from hashlib import sha256
from typing import BinaryIO

from starlette.requests import Request

from ..index.files import sync_directory
from ..index.jobs import JobStore
from . import body
from .service import Service

_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Received:
    """digest: of the body. lines: in it. data: the body, or None when it lies in the file of
    the job `job`, synced."""

    digest: str
    lines: int
    data: bytes | None
    job: str | None = None


async def receive(request: Request, jobs: JobStore, *, as_job: bool) -> Received:
    """Read the body. It becomes a file when `as_job` or when it is over the settings' limits."""
    service: Service = request.app.state.service
    settings = request.app.state.settings
    digest = sha256()
    held = bytearray()
    size = lines = 0
    last = b"\n"
    job: str | None = None
    file: BinaryIO | None = None
    try:
        async for piece in body.stream(request, body.NDJSON, settings.max_bulk_bytes):
            digest.update(piece)
            size += len(piece)
            lines += piece.count(b"\n")
            last = piece[-1:]
            held += piece
            if file is None and (
                as_job or size > settings.job_bytes or lines > settings.job_documents
            ):
                job = jobs.new_id()
                file = jobs.lines(job).open("wb")
            if file is not None and len(held) >= _PIECE:
                await service.writers.run(file.write, bytes(held))
                held.clear()
        lines += last != b"\n"
        if file is not None:
            await service.writers.run(_finish, file, bytes(held), jobs)
            return Received(digest.hexdigest(), lines, None, job)
        return Received(digest.hexdigest(), lines, bytes(held))
    except BaseException:
        if file is not None and job is not None:
            file.close()
            jobs.lines(job).unlink(missing_ok=True)
        raise


def _finish(file: BinaryIO, rest: bytes, jobs: JobStore) -> None:
    with file:
        file.write(rest)
        file.flush()
        os.fsync(file.fileno())
    sync_directory(jobs.spool)
