"""Fitted arrays of a codec or a projection, in one .npz file without pickle."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

CODEC = "codec.npz"
"""Name of the file with the fitted arrays of a codec."""
FITTED = 50_000
"""Maximum number of vectors that a codec or a projection is fitted on."""


def write(path: Path, kind: str, **arrays: NDArray[np.float32]) -> None:
    """Write float32 arrays to a .npz file.

    kind: kind of the codec that the arrays belong to, or "projection".
    """
    with path.open("wb") as file:  # For a path, numpy would append ".npz".
        np.savez(file, allow_pickle=False, kind=np.array(kind), **arrays)


def read(path: Path, kind: str, **dimensions: int) -> dict[str, NDArray[np.float32]]:
    """Return the arrays of a file that `write` wrote, by name.

    kind:       expected kind, as passed to `write`.
    dimensions: names of the expected arrays, each with its number of axes.

    Raises ValueError for a file of another kind, for missing or additional arrays, and for numbers
    that are not finite.
    """
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            found: dict[str, NDArray[Any]] = {name: file[name] for name in file.files}
    except (BadZipFile, EOFError, KeyError) as error:
        raise ValueError(f"{path.name} cannot be read ({error})") from error
    if (stored := str(found.pop("kind", None))) != kind:
        raise ValueError(f"the kind in {path.name} must be {kind!r}, got {stored!r}")
    if {name: array.ndim for name, array in found.items()} != dimensions or any(
        array.dtype != np.float32 or not np.isfinite(array).all() for array in found.values()
    ):
        got = ", ".join(f"{name} {array.dtype}{array.shape}" for name, array in found.items())
        raise ValueError(
            f"{path.name} must contain finite float32 arrays with these numbers of axes: "
            f"{dimensions}; got {got or 'none'}"
        )
    return found
