"""Readers of a plug-in that behave badly, as a library does with a hostile file."""

from __future__ import annotations

import ctypes
import os
import sys
import time
from pathlib import Path

from twindex.sources import Converted, Limits


def read(path: Path, limits: Limits) -> Converted:
    """Do what the file says."""
    match path.read_text().strip():
        case "hang":
            while True:
                pass
        case "sleep":
            time.sleep(3600)
        case "eat memory":
            kept = []
            while True:
                kept.append(bytearray(1 << 24))
        case "crash":
            ctypes.string_at(0)
        case "exit":
            os._exit(3)
        case "raise":
            raise KeyError("no such part")
        case "print":
            print("noise on standard output", flush=True)
            os.write(1, b"more noise\0")
            sys.stderr.write("noise")
        case "recurse":
            return read(path, limits)
        case "long":
            return Converted("x" * (limits.characters + 1))
        case "surrogates":
            return Converted("a\ud800b", "t\udfff", {"k\ud800": ["v\ud800"]})
        case "pid":
            return Converted(str(os.getpid()))
    return Converted("read")
