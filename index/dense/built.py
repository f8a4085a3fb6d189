"""What is written down of how a segment's vectors were stored: storage.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ...core import FlatConfig, HnswConfig, VectorSearch, VectorStorage
from .calibration import Calibration

FILE = "storage.json"
FORMAT = 1

_FIELDS = set(VectorStorage.model_fields)


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
            "storage": self.storage.model_dump(mode="json", include=_FIELDS),
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


def storage_of(config: VectorStorage) -> VectorStorage:
    """The fields of a leg that say how its vectors are stored."""
    return VectorStorage(**config.storage_fields)


def as_configured(storage: VectorStorage) -> VectorSearch:
    """How far a search looks that does not say. What is stored may lie beyond the bounds."""
    match storage.index:
        case FlatConfig():
            return VectorSearch()
        case HnswConfig(recall=recall, ef_search=ef):
            return VectorSearch.stored({"recall": recall, "ef": ef})
        case index:
            return VectorSearch.stored({"recall": index.recall, "nprobe": index.nprobe})
