"""The process that converts files. It serves one request after the other until its input ends.

A message is a length of 8 bytes and a JSON object. Requests come on standard input, and replies are
written to a copy of standard output. Standard output itself is redirected, so that text that
libraries print is discarded.
"""

from __future__ import annotations

import json
import os
import resource
import struct
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from ...core.memory import peak_bytes
from .kinds import Format, register_format
from .limits import Limits, check_characters
from .reasons import DAMAGED, LIMIT, UnreadableError

LENGTH = struct.Struct("<Q")
GRACE = 10
"""Seconds of processor time beyond `Limits.seconds` after which the system ends this process. The
parent normally ends it first."""
MEMORY = "needs more than {:,} bytes of memory; raise the limit `memory`"


def main() -> None:
    """Serve requests until standard input ends."""
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    _follow_parent()
    _send(replies, {"ready": True})
    bounds = (0, 0)
    while request := _receive(requests):
        limits = Limits(**request["limits"])
        mapped = _size(request["path"]) if "options" in request else 0
        if (wanted := (limits.memory + mapped, limits.expanded)) != bounds:
            bounds = wanted
            _limit(resource.RLIMIT_AS, bounds[0])
            _limit(resource.RLIMIT_FSIZE, bounds[1])
        _limit_time(limits)
        _send(replies, {**_answer(request, limits, replies), "peak": peak_bytes()})


def _answer(request: dict[str, Any], limits: Limits, replies: BinaryIO) -> dict[str, Any]:
    try:
        module, _, name = request["reader"].partition(":")
        function = getattr(import_module(module), name)
        path = Path(request["path"])
        for known in request["plug_ins"]:  # Members of archives may have these formats.
            register_format(Format(**{**known, "suffixes": tuple(known["suffixes"])}))
        if "options" in request:
            for piece in function(path, limits, request["options"]):
                _send(replies, {"size": len(piece)})
                replies.write(piece)
                replies.flush()
                _limit_time(limits)
            return {}
        if into := request["into"]:
            return asdict(function(path, Path(into), limits))
        converted = function(path, limits)
        check_characters(converted.text, limits)
        return asdict(converted)
    except UnreadableError as error:
        return {"reason": error.reason, "message": error.message}
    except MemoryError:
        return {"reason": LIMIT, "message": MEMORY.format(limits.memory), "exhausted": True}
    except RecursionError:
        return {"reason": LIMIT, "message": "is nested too deeply; simplify the file"}
    except Exception as error:  # noqa: BLE001  Libraries raise anything for damaged files.
        named = f"{type(error).__name__}: {error}"[:200]
        message = f"cannot be read ({named}); open it in its program and save it again"
        return {"reason": DAMAGED, "message": message}


def _receive(requests: BinaryIO) -> dict[str, Any] | None:
    head = requests.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    request: dict[str, Any] = json.loads(requests.read(LENGTH.unpack(head)[0]))
    return request


def _send(replies: BinaryIO, reply: dict[str, Any]) -> None:
    content = orjson.dumps(_valid(reply))
    replies.write(LENGTH.pack(len(content)))
    replies.write(content)
    replies.flush()


def _valid(value: Any) -> Any:
    """Return a JSON value without lone surrogates, which texts of damaged files may contain."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode(errors="replace").decode()
    if isinstance(value, dict):
        return {_valid(key): _valid(item) for key, item in value.items()}
    return [_valid(item) for item in value] if isinstance(value, list) else value


def _limit(kind: int, value: int) -> None:
    """Set a limit of the operating system, if the system supports this kind of limit."""
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    with suppress(ValueError, OSError):
        resource.setrlimit(kind, (value, hard))


def _limit_time(limits: Limits) -> None:
    """Limit the processor time of this process to `Limits.seconds` plus `GRACE` from now on."""
    _limit(resource.RLIMIT_CPU, int(time.process_time()) + limits.seconds + GRACE)


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return 0


def _follow_parent() -> None:
    """End this process when its parent has ended, also in the middle of a file."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
