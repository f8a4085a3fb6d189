"""Vectors in fewer dimensions, as long as they were.

The length is given back because scores are inner products: a projection shortens some vectors more
than others, and these would lose places for it. It is most of what a projection can be spared:
halving unit vectors of text by principal axes, recall@10 is .80 with it and .70 without.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ..arrays.vectors import Vectors
from . import files
from .config import BaseProjection
from .lengths import length_ratio


class Projection:
    """Coordinates along orthonormal axes, of which there are fewer than dimensions.

    axes: float32 [width, d], orthonormal rows. width: dimensions that are left.
    """

    def __init__(self, axes: NDArray[np.float32]) -> None:
        self.axes = np.ascontiguousarray(axes)
        self.width = len(axes)

    @classmethod
    def fit(cls, sample: Vectors, config: BaseProjection) -> Self:
        """The axes that `config` asks for; `sample`, float32 [n, d], matters to "pca" only.

        Raises ConfigError if more dimensions are wanted than there are.
        """
        return cls(config.axes(sample))

    def apply(self, vectors: Vectors) -> Vectors:
        """float32 [n, d] -> [n, width], of the same lengths; zero vectors stay zero.

        So does a vector that is at right angles to all axes: it has no direction left.
        """
        shortened = vectors @ self.axes.T
        return shortened * length_ratio(vectors, shortened)

    def lift(self, vectors: Vectors) -> Vectors:
        """float32 [n, width] -> [n, d]: where the projections lie, of the same lengths."""
        return vectors @ self.axes

    def save(self, path: Path) -> None:
        """Write the axes as .npz."""
        files.write(path, "projection", axes=self.axes)

    @classmethod
    def load(cls, path: Path) -> Self:
        """The inverse of `save`. Raises OSError or ValueError."""
        axes = files.read(path, "projection", axes=2)["axes"]
        if not 0 < len(axes) <= axes.shape[1]:
            raise ValueError(f"{path.name}: {len(axes)} axes in {axes.shape[1]} dimensions")
        return cls(axes)
