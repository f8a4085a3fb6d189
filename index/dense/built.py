"""What is written down of how a segment's vectors were stored: storage.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..structures.originals import Originals
from ..structures.protocol import VectorStorage
from .calibration import Calibration

FILE = "storage.json"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Built:
    """How a structure was built, of `rows` vectors of `width` dimensions, and what was measured.

    loss: what the codec lost (see `twindex.index.codecs.loss`); None where nothing can be lost.
    fitted: vectors that the codec was fitted to, where that matters to merges.
    """

    storage: VectorStorage
    rows: int
    width: int
    calibration: Calibration
    loss: Mapping[str, Any] | None
    fitted: int | None = None

    def save(self, directory: Path) -> None:
        """Write it."""
        value = {
            "format": FORMAT,
            "storage": self.storage.model_dump(mode="json"),
            "rows": self.rows,
            "width": self.width,
            "calibration": self.calibration.as_json(),
            "loss": self.loss,
            **({} if self.fitted is None else {"fitted": self.fitted}),
        }
        (directory / FILE).write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, directory: Path) -> Built:
        """Raises OSError, or ValueError if it cannot be understood."""
        try:
            value = json.loads((directory / FILE).read_text(encoding="utf-8"))
            if value["format"] != FORMAT:
                raise ValueError(f"{FILE}: of format {value['format']}, not {FORMAT}")
            return cls(
                VectorStorage.stored(value["storage"]),
                int(value["rows"]),
                int(value["width"]),
                Calibration.from_json(value["calibration"]),
                value["loss"],
                value.get("fitted"),
            )
        except (
            KeyError,
            TypeError,
            AttributeError,
            UnicodeDecodeError,
            json.JSONDecodeError,
            ValidationError,
        ) as error:
            raise ValueError(f"{FILE}: cannot be understood: {error}") from error


def described(
    rows: int, size: int, vectors: Originals | None, known: Built | None
) -> dict[str, Any]:
    """How a part of `size` bytes is stored, as JSON; see `VectorSegment.description`.

    vectors: as they came, if they were kept. known: how it was built, if anything was coded.
    """
    kept = "none" if vectors is None else str(vectors.array.dtype)
    told = {
        "rows": rows,
        "index": "flat",
        "codec": kept,
        "projection": None,
        "originals": kept,
        "bytes_per_vector": size / max(1, rows),
        "memory": 0,
        "parameters": "exact",
        "calibration": None,
        "loss": None,
    }
    if known is not None:
        codec, projection = known.storage.used_codec, known.storage.projection
        told |= {
            "index": known.storage.index.kind,
            "codec": None if codec is None else codec.kind,
            "projection": None if projection is None else projection.model_dump(),
            "loss": known.loss,
        }
    return told
