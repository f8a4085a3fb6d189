"""Show what is in a collection.

Prints counts, legs with their encoders and vector storage, segments and sizes. --json also prints
the configuration and the full calibration of each segment.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from ...figures import counted, size
from ..arguments.common import add_collection, add_json
from ..terminal import print_json, table

EXAMPLE = "twindex info my-index --json"

SHOWN = ("model", "variant", "style", "language")
PROMPTS = ("query_prompt", "document_prompt")
"""Fields of an encoder that are printed; --json prints all of them."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_collection(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    from ....search import Collection

    with Collection.open(arguments.collection, read_only=True) as collection:
        info = collection.info()
    if arguments.json:
        print_json(info)
        return 0
    stored = size(sum(info["bytes"].values()))
    documents = counted(info["documents"], "document")
    passages = counted(info["passages"], "passage")
    print(f"{info['path']}: {documents} in {passages}, {stored}, generation {info['generation']}")
    print(f"passages: {_cutting(info['cut'])}")
    for name, leg in info["legs"].items():
        encoder = leg["encoder"] or {}
        described = ", ".join(f"{key} {encoder[key]}" for key in SHOWN if key in encoder)
        words = [leg["kind"], *([described] if described else []), size(leg["bytes"])]
        if leg["role"] == "rerank":
            words.insert(1, "for reranking")
        print(f"leg {name}: {', '.join(words)}")
        if "vectors" in leg:
            for line in _storage_lines(leg["vectors"], name, info["segments"]):
                print(f"  {line}")
        if languages := leg.get("languages"):
            counts = ", ".join(f"{code} {n:,}" for code, n in languages.items())
            print(f"  passages by language: {counts}")
        for key in PROMPTS:
            if prompt := encoder.get(key):
                print(f"  {key.replace('_', ' ')}: {_prompt_line(prompt)}")
    print(f"delta: {counted(info['delta']['passages'], 'passage')}")
    rows = [
        [
            segment["id"],
            str(segment["passages"]),
            str(segment["dead_passages"]),
            size(segment["bytes"]),
        ]
        for segment in info["segments"]
    ]
    if rows:
        print(table(["segment", "passages", "deleted", "size"], rows))
    if info.get("maintenance_error"):
        print(f"maintenance failed: {info['maintenance_error']}")
    return 0


def _cutting(cut: dict[str, Any]) -> str:
    """Describe how documents are split into passages. cut: `cut` of `Collection.info`."""
    if cut["unit"] == "none":
        return "whole documents"
    if cut["size"] is None:
        many = "as many as fit into every encoder"
    else:
        unit = "tokens" if cut["unit"] == "tokens" else "words"
        many = f"at most {cut['size']:,} {unit}"
    if cut["leg"] is not None:
        many += f" (the input limit of the encoder of {cut['leg']})"
    whole = "" if cut["unit"] == "words" else "whole sentences, "
    shared = f"; neighbours overlap by up to {cut['overlap']:,}" if cut["overlap"] else ""
    kept = f"; documents of up to {cut['whole']:,} words stay whole" if cut["whole"] else ""
    return f"{whole}{many}{shared}{kept}"


def _storage_lines(vectors: dict[str, Any], leg: str, segments: list[dict[str, Any]]) -> list[str]:
    """Return lines that describe how a leg stores and searches its vectors.

    vectors:  `vectors` of the leg in `Collection.info`.
    segments: all segments.

    The search parameters are those of the largest segment.
    """
    words = [f"index {vectors['index']}"]
    if vectors["codec"] is not None:
        words.append(f"codec {vectors['codec']}")
    if projection := vectors["projection"]:
        kept = projection["dimensions"] or f"{projection['share']:g} of the"
        words.append(f"projection {projection['kind']} to {kept} dimensions")
    words.append(f"originals {vectors['originals']}")
    if vectors["bytes_per_vector"] is not None:
        words.append(f"{vectors['bytes_per_vector']:,.0f} bytes a vector")
        words.append(f"{size(vectors['memory'])} in memory")
    lines = [f"stored: {', '.join(words)}"]
    stored = [segment["vectors"][leg] for segment in segments if leg in segment["vectors"]]
    largest = max(stored, key=lambda one: one["rows"], default=None)
    if largest is None:
        return lines
    lines.append(f"search: {_search_line(vectors, largest)}")
    if largest["loss"]:
        figures = ", ".join(
            f"{name.replace('_', ' ')} {value:.4g}" for name, value in largest["loss"].items()
        )
        lines.append(f"codec: {figures}")
    return lines


def _search_line(configured: dict[str, Any], segment: dict[str, Any]) -> str:
    """Describe the search parameters of a leg in a segment, or why its search there is exact.

    configured: `vectors` of the leg.
    segment:    `vectors` of the segment for this leg.
    """
    parameters, goal = segment["parameters"], configured["recall"]
    if not isinstance(parameters, str):
        words = (
            ", ".join(f"{name} {n}" for name, n in parameters.items()) or "every code is compared"
        )
        aim = "" if goal is None or not parameters else f", for recall {goal:g} of the 10 nearest"
        return words + aim
    if segment["calibration"] is not None and goal is not None and goal < 1:
        return f"exact, because the index does not reach recall {goal:g} at a lower cost"
    # A segment that stores the vectors unchanged satisfies the codec float32.
    small = configured["codec"] not in ("float32", segment["codec"]) or any(
        segment[name] != configured[name] for name in ("index", "projection")
    )
    if segment["calibration"] is None and small:
        return "exact, because the segments are too small for this storage"
    return "exact"


def _prompt_line(prompt: str | list[str]) -> str:
    """Return an encoder's prompt on one line, with `{text}` in place of the text to encode.

    prompt: the part before the text, or a list of the parts before and after the text.
    """
    before, after = (prompt, "") if isinstance(prompt, str) else prompt
    return json.dumps(f"{before}{{text}}{after}", ensure_ascii=False)
