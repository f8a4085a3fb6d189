"""Perplexity of a language model that reads a retrieved passage before a text.

    python benchmarks/run.py perplexity --targets 8 --windows 2

Some long documents of a set are left out of the collection. The language model reads a window of
1,024 tokens of such a document, and its second half is scored. The last 32 tokens of the first half
are the query, as in "In-context retrieval-augmented language models" (Ram et al., 2023). The best
passage stands before the window. So every row scores the same tokens.

    none                  the window alone
    random                a passage drawn at random: the lower bound
    lexical, sparse, dense, fused
                          the best passage of a leg, or of all legs together
    generated             a text that the language model writes about the query, greedily
    generated, then fused the text, then the passage

Passages that share a run of 32 words with the scored half are left out, as are those with most of
its runs of 13 words, because they measure leakage. Each row is compared with `none` and with
`lexical` by a paired randomisation test on the log-likelihoods of the windows.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

from common.datasets import DATA, json_lines
from common.leakage import leaks

from twindex.core import Document
from twindex.eval import compare
from twindex.generate.background.prompts import prompt
from twindex.index import CollectionConfig
from twindex.llm import Sampling
from twindex.llm.loading import load_model
from twindex.search import Collection, SearchRequest, build

SETS = "rfc,qmsum_meetings_long"
WINDOW, QUERY = 1_024, 32
"""Tokens of a window, and of its query."""
PASSAGE_TOKENS = 200
"""Most tokens of a passage before the window."""
WRITTEN_TOKENS = 64
"""Tokens of a generated text."""
DEPTH = 20
"""Hits among which the best passage without leakage is taken."""
ROWS: Mapping[str, Sequence[str]] = {
    "fused": (),
    "lexical": ("lexical",),
    "sparse": ("sparse",),
    "dense": ("dense",),
}
"""Row -> legs that are searched. `fused` is first, so that no encoder remembers its query."""


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a document. scored: the text whose tokens are scored. query: what is searched."""

    id: str
    before: str
    scored: str
    query: str


def windows(model: Any, document: Document, most: int) -> list[Window]:
    """Return at most `most` windows of a document, at equal distances."""
    tokens = model.tokenize([document.text])[0]
    half = WINDOW // 2
    starts = list(range(0, len(tokens) - WINDOW + 1, half))
    step = max(1, len(starts) // most)
    return [
        Window(
            f"{document.id}:{start}",
            model.decode(tokens[start : start + half]),
            model.decode(tokens[start + half : start + WINDOW]),
            model.decode(tokens[start + half - QUERY : start + half]),
        )
        for start in starts[::step][:most]
    ]


def divided(name: str, targets: int, documents: int) -> tuple[list[Document], list[Document]]:
    """Return the documents that are read, and those of the collection, drawn at random."""
    (file,) = (DATA / name).glob("corpus.jsonl*")
    found = [
        Document(line["_id"], line["text"], title=line.get("title", ""))
        for line in json_lines(file)
    ]
    chosen = random.Random(0).sample(found, min(len(found), targets + documents))
    return chosen[:targets], chosen[targets:]


def passage(collection: Collection, legs: Sequence[str], window: Window) -> tuple[str, int]:
    """Return the best passage without leakage, and the number of passages that leak."""
    request = SearchRequest(query=window.query, legs=tuple(legs), limit=DEPTH, include=("text",))
    left_out = 0
    for hit in collection.search(request):
        span = hit.passage
        text = hit.text if span is None else hit.text[span.start : span.end]
        if not leaks(text, window.scored):
            return text, left_out
        left_out += 1
    return "", left_out


def contexts(
    collection: Collection, model: Any, window: Window, others: Sequence[Document]
) -> tuple[dict[str, list[str]], dict[str, float], int]:
    """Return row -> texts before the window, the CPU milliseconds, and passages that leak."""
    drawn = random.Random(window.id)
    words = drawn.choice(others).text.split()
    start = drawn.randrange(max(1, len(words) - PASSAGE_TOKENS))
    texts: dict[str, list[str]] = {
        "none": [],
        "random": [" ".join(words[start : start + PASSAGE_TOKENS])],
    }
    cost: dict[str, float] = {}
    leaking = 0
    for name, legs in ROWS.items():
        began = process_time()
        text, left_out = passage(collection, legs, window)
        cost.setdefault("search_ms", (process_time() - began) * 1e3)
        texts[name] = [text]
        leaking += left_out
    began = process_time()
    asked = prompt("qa", window.query, chats=True)
    written = model.generate([asked], Sampling(WRITTEN_TOKENS, temperature=0.0))[0].text
    cost["write_ms"] = (process_time() - began) * 1e3
    texts["generated"] = [written]
    texts["generated, then fused"] = [written, *texts["fused"]]
    return texts, cost, leaking


def measured(name: str, options: argparse.Namespace, model: Any) -> dict[str, Any]:
    read, others = divided(name, options.targets, options.documents)
    folder = options.work / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    raw = CollectionConfig().model_dump()
    raw["legs"]["dense"]["encoder"]["precision"] = "bfloat16"
    report = build(folder, others, CollectionConfig.parse(raw))
    losses: dict[str, dict[str, float]] = {}
    costs: dict[str, list[float]] = {"search_ms": [], "write_ms": []}
    tokens = leaking = 0
    with Collection.open(folder) as collection:
        for window in [
            one for document in read for one in windows(model, document, options.windows)
        ]:
            texts, cost, left_out = contexts(collection, model, window, others)
            leaking += left_out
            for one, milliseconds in cost.items():
                costs[one].append(milliseconds)
            for row, before in texts.items():
                clipped = [
                    model.decode(model.tokenize([text])[0][:PASSAGE_TOKENS]) for text in before
                ]
                start = "\n\n".join([*filter(None, clipped), window.before])
                found = model.likelihood([start], [window.scored])
                losses.setdefault(row, {})[window.id] = float(found.total[0, 0])
            tokens += int(found.tokens[0, 0])
            print(name, window.id, {row: round(own[window.id]) for row, own in losses.items()},
                  flush=True)  # fmt: skip
    shutil.rmtree(folder)
    count = len(losses["none"])
    rows = [
        {
            "row": row,
            "perplexity": math.exp(-sum(own.values()) / tokens),
            **{
                f"p against {base}": compare(own, losses[base]).p_value
                for base in ("none", "lexical")
                if base != row
            },
        }
        for row, own in losses.items()
    ]
    return {"documents": len(others), "passages": report.passages, "targets": len(read),
            "windows": count, "tokens": tokens, "leaking": leaking, "rows": rows,
            **{name: median(every) for name, every in costs.items()}}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", default=SETS)
    parser.add_argument("--targets", type=int, default=8, help="documents that are read")
    parser.add_argument("--windows", type=int, default=2, help="most windows of a document")
    parser.add_argument("--documents", type=int, default=12, help="of the collection")
    parser.add_argument("--llm", default="SmolLM2-135M-Instruct", help="language model")
    parser.add_argument("--work", type=Path, default=Path(".cache/perplexity"))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    model = load_model(options.llm)
    figures = {
        "llm": model.name,
        "window": WINDOW,
        "query": QUERY,
        "passage": PASSAGE_TOKENS,
        "sets": {name: measured(name, options, model) for name in options.sets.split(",")},
    }
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
