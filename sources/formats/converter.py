"""Converts files in another process, within limits of memory and time."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import orjson

from ...core import StorageError
from .child import LENGTH, MEMORY
from .converted import Converted, Member, Skipped, Unpacked
from .kinds import Format, plug_ins
from .limits import DEFAULT_LIMITS, Limits
from .reasons import DAMAGED, EXTRA, LIMIT, UnreadableError

_START_SECONDS = 120
_PIECE = 1 << 20
_COMMAND = "from twindex.sources.formats.child import main; main()"


class Converter:
    """A process that converts files one by one. The process is started when it is first needed.

    If a file exceeds a limit or crashes its reader, only this file is lost: the process is ended,
    and the next file starts another process. Not thread-safe. Use a Converter as a context manager,
    or call `close`.

        with Converter() as converter:
            text = converter.convert(Path("report.pdf"), PDF).text
    """

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self.limits = limits
        self.peak_bytes = 0
        """Peak memory of the processes so far, in bytes."""
        self._process: subprocess.Popen[bytes] | None = None
        self._is_streaming = False

    def convert(self, path: Path, kind: Format) -> Converted:
        """Return the text of a file.

        kind: format of the file, as `format_of` returns it.

        Raises UnreadableError, with the reason, for a file that cannot be read, exceeds a limit,
        has no text, or requires a package that is not installed.
        """
        return Converted(**self._ask(path, kind, self.limits))

    def unpack(self, path: Path, into: Path, kind: Format, limits: Limits) -> Unpacked:
        """Unpack an archive into the empty folder `into`. Files of unknown formats are skipped.

        kind:   format of the archive, such as ZIP.
        limits: limits of the archive, used instead of `self.limits`.

        Raises UnreadableError, with the reason, if the archive cannot be read or exceeds a limit.
        """
        reply = self._ask(path, kind, limits, into)
        return Unpacked(
            [Member(**one) for one in reply["members"]],
            [Skipped(**one) for one in reply["skipped"]],
            reply["expanded"],
        )

    def stream(self, path: Path, reader: str, options: Mapping[str, Any]) -> Iterator[bytes]:
        """Yield the pieces of bytes that the function `reader` yields for a file.

        reader:  "module:function". The function receives the path, Limits and `options`, and yields
                 bytes. It runs at most one piece ahead of the caller.
        options: JSON values for the function.

        Each piece may take `Limits.seconds`. The size of the file, which the reader may map into
        memory, is added to `Limits.memory`.

        Raises UnreadableError, with the reason, if the rest of the file cannot be read. Raises
        StorageError if the caller reads another file with this converter before all pieces of this
        file are read.
        """
        limits = self.limits
        request = {"path": str(path.absolute()), "reader": reader, "options": options}
        process = self._send(request, limits)
        assert process.stdout is not None
        self._is_streaming = True
        try:
            while "size" in (reply := self._receive(process, limits.seconds)):
                until = time.monotonic() + limits.seconds
                self._check_size(reply["size"])
                yield self._read(process, process.stdout, reply["size"], until, limits.seconds)
                if self._process is not process:
                    raise StorageError(
                        f"{path}: another file was read with the same converter before the end of "
                        "this file; read one file after the other, or use two converters"
                    )
            self._is_streaming = False
        finally:
            if self._is_streaming and self._process is process:
                self.close()  # The process may still be at work.
        self._checked(reply, limits)

    def close(self) -> None:
        """End the process, if there is one. The next file starts a new process."""
        process, self._process = self._process, None
        self._is_streaming = False
        if process is not None:
            process.kill()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with suppress(OSError):
                        stream.close()
            process.wait()

    def __enter__(self) -> Converter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _ask(
        self,
        path: Path,
        kind: Format,
        limits: Limits,
        into: Path | None = None,
    ) -> dict[str, Any]:
        if kind.package is not None and find_spec(kind.package) is None:
            install = f"pip install 'twindex[{kind.extra}]'"
            raise UnreadableError(EXTRA, f"requires {kind.package}: {install}")
        request = {
            "path": str(path.absolute()),
            "reader": kind.reader,
            "into": str(into) if into else None,
        }
        try:
            reply = self._receive(self._send(request, limits), limits.seconds)
        except BaseException:
            self.close()  # The process may still be at work.
            raise
        return self._checked(reply, limits)

    def _send(self, request: Mapping[str, Any], limits: Limits) -> subprocess.Popen[bytes]:
        """Send a request to the process, and return the process."""
        if self._is_streaming:
            self.close()
        process = self._started()
        assert process.stdin is not None
        known = [asdict(one) for one in plug_ins()]
        content = json.dumps({**request, "limits": asdict(limits), "plug_ins": known}).encode()
        with suppress(BrokenPipeError):  # The missing reply tells more.
            process.stdin.write(LENGTH.pack(len(content)) + content)
            process.stdin.flush()
        return process

    def _checked(self, reply: dict[str, Any], limits: Limits) -> dict[str, Any]:
        """Return a reply. Raises UnreadableError if the reply contains a reason."""
        peak = reply.pop("peak")
        self.peak_bytes = max(self.peak_bytes, peak)
        if peak > limits.memory // 2 or reply.pop("exhausted", False):
            self.close()  # The next file gets all of the memory.
        if "reason" in reply:
            raise UnreadableError(reply["reason"], reply["message"])
        return reply

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            environment = {
                **os.environ,
                "PYTHONPATH": os.pathsep.join(_search_path()),
                "OPENBLAS_NUM_THREADS": "1",
                "MALLOC_ARENA_MAX": "2",
                "ARROW_DEFAULT_MEMORY_POOL": "system",  # Others reserve much address space.
            }
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-W", "ignore", "-c", _COMMAND],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,  # Ctrl-C ends this process, which ends the other.
            )
            if sys.platform == "linux":
                from fcntl import F_SETPIPE_SZ, fcntl

                assert self._process.stdout is not None
                with suppress(OSError):  # Fewer switches between the processes.
                    fcntl(self._process.stdout, F_SETPIPE_SZ, _PIECE)
            try:
                self._receive(self._process, _START_SECONDS)
            except UnreadableError as error:
                message = f"the process that converts files does not start: {error.message}"
                raise StorageError(message) from None
        return self._process

    def _receive(self, process: subprocess.Popen[bytes], seconds: float) -> dict[str, Any]:
        """Return the next reply. Raises UnreadableError if none arrives within `seconds`."""
        until = time.monotonic() + seconds
        assert process.stdout is not None
        head = self._read(process, process.stdout, LENGTH.size, until, seconds)
        size = LENGTH.unpack(head)[0]
        self._check_size(size)
        reply: dict[str, Any] = orjson.loads(
            self._read(process, process.stdout, size, until, seconds)
        )
        return reply

    def _check_size(self, size: int) -> None:
        if size > 16 * self.limits.characters + (80 << 20):
            raise UnreadableError(DAMAGED, "its reader sent an invalid reply; save the file again")

    def _read(
        self,
        process: subprocess.Popen[bytes],
        stream: IO[bytes],
        size: int,
        until: float,
        seconds: float,
    ) -> bytes:
        content = bytearray()
        waiting = select.poll()
        waiting.register(stream, select.POLLIN)
        while len(content) < size:
            left = until - time.monotonic()
            if left <= 0 or not waiting.poll(left * 1e3):
                message = f"takes more than {seconds:g} seconds; raise the limit `seconds`"
                raise UnreadableError(LIMIT, message)
            piece = os.read(stream.fileno(), min(_PIECE, size - len(content)))
            if not piece:
                raise self._crash(process.wait())
            content += piece
        return bytes(content)

    def _crash(self, status: int) -> UnreadableError:
        if -status == signal.SIGKILL:
            return UnreadableError(LIMIT, "its reader was killed; the machine may lack memory")
        if -status in (signal.SIGABRT, signal.SIGTRAP, signal.SIGILL):  # Of failed allocations.
            return UnreadableError(
                LIMIT,
                "its reader stopped; the file is damaged, or " + MEMORY.format(self.limits.memory),
            )
        name = signal.Signals(-status).name if status < 0 else f"status {status}"
        return UnreadableError(DAMAGED, f"its reader crashed ({name}); save the file again")


def _search_path() -> list[str]:
    """Return the folders from which the other process imports modules.

    These are the absolute folders in `sys.path` of this process, and the folder of this package.
    Relative folders, such as "" for the current folder, may contain hostile files.
    """
    own = str(Path(__file__).resolve().parents[3])
    found = [folder for folder in sys.path if os.path.isabs(folder)]
    return found if own in found else [*found, own]
