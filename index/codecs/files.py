"""What was fitted, as arrays in one .npz file without pickle."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

CODEC = "codec.npz"
"""What the codec of a part was fitted to."""
FITTED = 50_000
"""Vectors that a projection and a codec are fitted on, at most."""


def write(path: Path, kind: str, **arrays: NDArray[np.float32]) -> None:
    """Write float32 arrays, and what they are of."""
    with path.open("wb") as file:  # Given a path, numpy would add an ending of its own.
        np.savez(file, allow_pickle=False, kind=np.array(kind), **arrays)


def read(path: Path, kind: str, **dimensions: int) -> dict[str, NDArray[np.float32]]:
    """The arrays of these names, each with so many dimensions.

    Raises ValueError for a file of another kind, without them, or with numbers that are not finite.
    """
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            found: dict[str, NDArray[Any]] = {name: file[name] for name in file.files}
    except (BadZipFile, EOFError, KeyError) as error:
        raise ValueError(f"{path.name}: cannot be read: {error}") from error
    if str(found.pop("kind", None)) != kind:
        raise ValueError(f"{path.name}: not of {kind}")
    if {name: array.ndim for name, array in found.items()} != dimensions or any(
        array.dtype != np.float32 or not np.isfinite(array).all() for array in found.values()
    ):
        raise ValueError(f"{path.name}: not the numbers {', '.join(dimensions)}")
    return found
