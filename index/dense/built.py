"""storage.json: a record of how the vectors of a dense leg are stored in one segment."""

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
    """The content of storage.json: how the index of a segment was built, and measurements of it.

    storage:     storage options of the vectors.
    rows:        number of vectors.
    width:       number of dimensions of a vector before a projection.
    calibration: measured recall of search parameters.
    loss:        measured loss of projection and codec (`twindex.index.codecs.loss`), as JSON; None
                 if unknown or lossless.
    fitted:      number of vectors on which the codec was fitted; None if merges do not need this
                 number.
    """

    storage: VectorStorage
    rows: int
    width: int
    calibration: Calibration
    loss: Mapping[str, Any] | None
    fitted: int | None = None

    def save(self, directory: Path) -> None:
        """Write storage.json into `directory`."""
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
        """Read storage.json from `directory`.

        Raises OSError if the file cannot be read, and ValueError if its content is invalid.
        """
        try:
            value = json.loads((directory / FILE).read_text(encoding="utf-8"))
            if value["format"] != FORMAT:
                raise ValueError(f"{FILE}: expected format {FORMAT}, found {value['format']}")
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
            raise ValueError(f"{FILE}: invalid content ({error})") from error


def describe(
    rows: int, size: int, vectors: Originals | None, known: Built | None
) -> dict[str, Any]:
    """Return how the vectors of a leg in a segment are stored, as JSON values.

    The keys are those of `VectorSegment.description`.

    rows:    number of vectors.
    size:    bytes of all files.
    vectors: the vectors as encoded (the originals); None: not stored.
    known:   the content of storage.json; None: the vectors have neither index nor codec.
    """
    kept = "none" if vectors is None else str(vectors.array.dtype)
    description = {
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
        description |= {
            "index": known.storage.index.kind,
            "codec": None if codec is None else codec.kind,
            "projection": None if projection is None else projection.model_dump(),
            "loss": known.loss,
        }
    return description
