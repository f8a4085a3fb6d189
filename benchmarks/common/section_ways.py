"""Compare ways to cut documents, on sentences of RFCs that cite a section.

The collection is made from RFCs: sentences that cite a section are the queries, and the cited
section is the answer (`common/rfc_sections.py`). A hit is right if its document has the section
and its best passage is in it. RFCs are divided into two halves. The first half (dev) is to choose a
way to cut, the second half (test) to confirm it.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common.remembering import Remembering
from common.rfc_sections import SectionQuery, SectionSet, located, section_set

from twindex.encoders import Encoder, EncoderConfig, load_encoder
from twindex.eval import compare
from twindex.index import CollectionConfig
from twindex.search import Collection, SearchRequest, build

HITS = 100
LEGS = ("lexical", "sparse", "dense", "all")
HALVES = ("dev", "test")


def half(query: SectionQuery) -> str:
    """Half to which the RFC of the answer belongs."""
    return HALVES[zlib.crc32(query.document.encode()) % 2]


def values(collection: Collection, query: SectionQuery, leg: str) -> dict[str, float]:
    """Each measure of one query."""
    request = SearchRequest(
        query=query.text, legs=() if leg == "all" else (leg,), limit=HITS, include=("text",)
    )
    found = {"nDCG@10": 0.0, "R@100": 0.0, "document nDCG@10": 0.0}
    for rank, hit in enumerate(collection.search(request), 1):
        if hit.id != query.document:
            continue
        start, end = (
            (0, len(hit.text))
            if hit.passage is None
            else (
                hit.passage.start,
                hit.passage.end,
            )
        )
        gain = 1 / math.log2(rank + 1) if rank <= 10 else 0.0
        found["document nDCG@10"] = gain
        if located(query.section, start, end):
            found["nDCG@10"], found["R@100"] = gain, 1.0
    return found


def measured(
    chosen: SectionSet, way: Mapping[str, Any], folder: Path, encoders: dict[EncoderConfig, Encoder]
) -> tuple[dict[str, Any], dict[str, dict[str, dict[str, float]]]]:
    """Size of the index, and leg -> measure -> query -> value."""

    def remembered(config: EncoderConfig) -> Encoder:
        if config not in encoders:
            encoders[config] = Remembering(load_encoder(config))
        return encoders[config]

    raw = CollectionConfig().model_dump()
    raw["legs"]["dense"]["encoder"]["precision"] = "bfloat16"
    raw["passages"].update(way)
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    report = build(folder, chosen.documents, CollectionConfig.parse(raw), encoders=remembered)
    by_leg: dict[str, dict[str, dict[str, float]]] = {}
    with Collection.open(folder, encoders=remembered) as collection:
        for query in chosen.queries:
            for leg in LEGS:
                for measure, value in values(collection, query, leg).items():
                    by_leg.setdefault(leg, {}).setdefault(measure, {})[query.id] = value
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    shutil.rmtree(folder)
    return {"passages": report.passages, "bytes": size}, by_leg


def compare_ways(description: str, ways: Mapping[str, Mapping[str, Any]], *, base: str) -> None:
    """Measure each way to cut, with the options of the command line.

    ways: name -> fields of `passages` in the collection's configuration.
    base: the first of `ways`, which the others are compared with by paired tests.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--documents", type=int, default=60, help="number of RFCs")
    parser.add_argument("--work", type=Path, default=Path(".cache/section_ways"))
    parser.add_argument("--json", type=Path, help="write the figures here, after each way")
    arguments = parser.parse_args()
    chosen = section_set(arguments.documents)
    groups = {name: [one.id for one in chosen.queries if half(one) == name] for name in HALVES} | {
        "other RFCs": [one.id for one in chosen.queries if one.other]
    }
    groups["all"] = [one.id for one in chosen.queries]
    print(
        f"{len(chosen.documents)} RFCs, "
        + ", ".join(f"{name}: {len(ids)} queries" for name, ids in groups.items()),
        flush=True,
    )
    encoders: dict[EncoderConfig, Encoder] = {}
    figures: dict[str, Any] = {
        "documents": len(chosen.documents),
        "characters": sum(len(one.text) for one in chosen.documents),
        "queries": {name: len(ids) for name, ids in groups.items()},
        "ways": {},
    }
    usual: dict[str, dict[str, dict[str, float]]] = {}
    for name, way in ways.items():
        size, by_leg = measured(chosen, way, arguments.work / "index", encoders)
        usual = by_leg if name == base else usual
        rows = []
        for leg in LEGS:
            for group, ids in groups.items():
                row: dict[str, Any] = {"leg": leg, "group": group}
                for measure, all_ in by_leg[leg].items():
                    own = {query: all_[query] for query in ids}
                    row[measure] = sum(own.values()) / len(own)
                    if name != base:
                        other = {query: usual[leg][measure][query] for query in ids}
                        row[f"p of {measure}"] = compare(own, other).p_value
                rows.append(row)
                print(name, json.dumps(row), flush=True)
        figures["ways"][name] = {**size, "rows": rows}
        if arguments.json:
            arguments.json.write_text(json.dumps(figures, indent=1))
