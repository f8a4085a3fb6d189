"""Say what is in a collection.

Counts, legs with their encoders, segments and sizes; the configuration too with --json.
"""

from __future__ import annotations

import argparse
import json

from ..terminal import counted, print_json, size, table
from .arguments import add_collection, add_json

EXAMPLE = "twindex info my-index --json"

SHOWN = ("model", "variant", "style", "language")
PROMPTS = ("query_prompt", "document_prompt")
"""What is told of an encoder; --json has all."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_collection(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    from ...search import Engine

    with Engine.open(arguments.collection, read_only=True) as engine:
        info = engine.info()
    if arguments.json:
        print_json(info)
        return 0
    stored = size(sum(info["bytes"].values()))
    documents, passages = (
        counted(info["documents"], "document"),
        counted(info["passages"], "passage"),
    )
    print(f"{info['path']}: {documents} in {passages}, {stored}, generation {info['generation']}")
    for name, leg in info["legs"].items():
        encoder = leg["encoder"] or {}
        described = ", ".join(f"{key} {encoder[key]}" for key in SHOWN if key in encoder)
        print(f"leg {name}: {leg['kind']}{f', {described}' if described else ''}")
        for key in PROMPTS:
            if prompt := encoder.get(key):
                print(f"  {key.replace('_', ' ')}: {_whole(prompt)}")
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


def _whole(prompt: str | list[str]) -> str:
    """What a model reads, on one line. Some prompts go on after the text."""
    before, after = (prompt, "") if isinstance(prompt, str) else prompt
    return json.dumps(f"{before}{{text}}{after}", ensure_ascii=False)
