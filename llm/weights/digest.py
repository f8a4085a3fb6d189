"""Computes the identity of a model's weights without reading all of them."""

from __future__ import annotations

import os
from hashlib import blake2b
from pathlib import Path

from ...core import ModelError
from .safety import NOT_LOADED

BLOCK = 1 << 16
BLOCKS = 64

_TEXTS = frozenset({".json", ".jinja", ".model", ".txt"})


def weights_digest(path: Path) -> str:
    """Return the digest of a folder of weights, or of one weight file: 32 hexadecimal digits.

    Configuration and tokenizer files are read in full. Of a weight file, only the size and 64
    blocks of 64 KiB are read, spread evenly over the file. This is enough to tell models apart,
    because training changes every part of a weight file. Read-me files, exports for other runtimes
    and the name of the folder do not change the digest.

    Raises ModelError for files that cannot be read.
    """
    state = blake2b(digest_size=16)
    try:
        files = [path] if path.is_file() else _files(path)
        for file in files:
            name = file.relative_to(path).as_posix() if file != path else ""
            state.update(f"{name}\0{file.stat().st_size}\0".encode())
            _read_into(state, file, sampled=file.suffix not in _TEXTS)
    except OSError as error:
        raise ModelError(f"the weights in {path} cannot be read ({error.strerror})") from error
    return state.hexdigest()


def _files(folder: Path) -> list[Path]:
    """Return the files that determine what a model computes, sorted by relative path.

    Links to folders are followed, because loaders follow them too.
    """
    found: list[Path] = []
    for parent, below, names in os.walk(folder, followlinks=True):
        below[:] = [name for name in below if not name.startswith(".") and name not in NOT_LOADED]
        found += [Path(parent, name) for name in names if not name.startswith(".")]
    found = [file for file in found if file.is_file()]
    texts = [file for file in found if file.suffix in _TEXTS]
    # If both formats are present, loaders use safetensors.
    weights = [file for file in found if file.suffix in (".safetensors", ".gguf")] or [
        file for file in found if file.suffix == ".bin"
    ]
    return sorted(texts + weights, key=lambda file: file.relative_to(folder).as_posix())


def _read_into(state: blake2b, file: Path, *, sampled: bool) -> None:
    size = file.stat().st_size
    with file.open("rb") as stream:
        if not sampled or size <= BLOCK * BLOCKS:
            while block := stream.read(BLOCK):
                state.update(block)
            return
        for number in range(BLOCKS):
            stream.seek((size - BLOCK) * number // (BLOCKS - 1))
            state.update(stream.read(BLOCK))
