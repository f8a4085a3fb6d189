"""The identity of a model's weights, without reading gigabytes."""

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
    """Digest of a folder of weights, or of one weight file: 32 hexadecimal digits.

    Files of configuration and of the tokenizer are read in full. Of a weight file count the size
    and 64 blocks of 64 KiB, spread evenly from its first byte to its last: training changes all
    of it. Read-me files and exports for other runtimes do not count, nor does the folder's name.
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
        raise ModelError(f"the weights in {path} cannot be read: {error.strerror}") from error
    return state.hexdigest()


def _files(folder: Path) -> list[Path]:
    """The files that decide what the model computes, by relative path. Links to folders are
    followed, as loaders do."""
    found: list[Path] = []
    for place, below, names in os.walk(folder, followlinks=True):
        below[:] = [name for name in below if not name.startswith(".") and name not in NOT_LOADED]
        found += [Path(place, name) for name in names if not name.startswith(".")]
    found = [file for file in found if file.is_file()]
    texts = [file for file in found if file.suffix in _TEXTS]
    # Where both formats are there, safetensors is the one that is loaded.
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
