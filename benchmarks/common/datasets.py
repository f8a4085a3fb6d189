"""The test collections of the benchmarks, and functions that read them.

The collections are not part of the repository. `TWINDEX_DATA` names a folder with one folder in
BEIR's layout for each: scifact, cranfield, cisi, nq_open_oracle, msrd_movies, qmsum_meetings_long,
musique_100, xquad_de, xquad_en, and rfc/corpus.jsonl.gz. The default is `shared/data` beside the
repository.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("TWINDEX_DATA", REPOSITORY.parent / "shared" / "data"))
CACHE = REPOSITORY / ".cache" / "benchmarks"


def json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a JSONL file, gzipped or not."""
    if not path.exists():
        raise SystemExit(
            f"{path} does not exist: name the folder of the collections in TWINDEX_DATA"
        )
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def corpus_texts(folder: Path) -> list[str]:
    """Title and text of every document of a BEIR-style collection."""
    return [
        f"{d.get('title', '')} {d['text']}".strip() for d in json_lines(folder / "corpus.jsonl")
    ]


def query_texts(folder: Path) -> list[str]:
    """The queries of a BEIR-style collection."""
    return [query["text"] for query in json_lines(folder / "queries.jsonl")]
