"""What was fitted, as arrays in one .npz file without pickle."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray


def write(path: Path, **arrays: NDArray[Any]) -> None:
    """Write named arrays."""
    with path.open("wb") as file:  # Given a path, numpy would add an ending of its own.
        np.savez(file, **arrays)


def read(path: Path, **dimensions: int) -> dict[str, NDArray[np.float32]]:
    """The float32 arrays of these names, each with so many dimensions.

    Raises ValueError for a file that has others, or numbers that are not finite.
    """
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            found = {name: file[name] for name in file.files}
    except (BadZipFile, EOFError, KeyError) as error:
        raise ValueError(f"{path.name}: cannot be read: {error}") from error
    if {name: array.ndim for name, array in found.items()} != dimensions or any(
        array.dtype != np.float32 or not np.isfinite(array).all() for array in found.values()
    ):
        raise ValueError(f"{path.name}: not the arrays {', '.join(dimensions)} of numbers")
    return found
