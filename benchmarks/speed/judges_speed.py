"""Tokens per CPU second of pairwise scoring, with and without sharing prompt prefixes.

    python benchmarks/run.py judges_speed --candidates 10 --precision bfloat16

A real model scores all pairs of the first SciFact documents of one query. Three ways take turns:

- prompts that share the query and Passage A are read together, as Twindex does;
- all prompts of the query are read together, so that only the query is shared;
- each prompt is read alone.

Tokens are those of the prompts, whether they were read or reused.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, process_time

from common import datasets
from common.timing import table

from twindex.ask import LanguageModelConfig, asking
from twindex.ask.loading import load_language_model
from twindex.rerank import Candidate, PairwiseConfig, Task
from twindex.rerank.pairwise.reranker import PairwiseReranker

NEVER = 10**9
WAYS = {
    "query and Passage A shared": (asking.MIN_SHARED, asking.MAX_PROMPTS),
    "query shared": (NEVER, asking.MAX_PROMPTS),
    "each prompt alone": (NEVER, 1),
}


@contextmanager
def way(sharing: int, together: int) -> Iterator[None]:
    before = asking.MIN_SHARED, asking.MAX_PROMPTS
    asking.MIN_SHARED, asking.MAX_PROMPTS = sharing, together
    try:
        yield
    finally:
        asking.MIN_SHARED, asking.MAX_PROMPTS = before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--model", default="SmolLM2-135M-Instruct")
    parser.add_argument("--precision", default="bfloat16")
    parser.add_argument("--candidates", type=int, default=10)
    parser.add_argument("--passage-tokens", type=int, default=128)
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    config = LanguageModelConfig(model=options.model, precision=options.precision)
    model = load_language_model(config)
    folder = datasets.DATA / "scifact"
    query, texts = datasets.query_texts(folder)[0], datasets.corpus_texts(folder)
    texts = texts[: options.candidates]
    task = Task(query, [Candidate(str(i), text) for i, text in enumerate(texts)])
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in WAYS}
    rows = {}
    for _ in range(options.turns):
        for name, (sharing, together) in WAYS.items():
            pairs = PairwiseConfig(method="allpair", passage_tokens=options.passage_tokens)
            reranker = PairwiseReranker(pairs, model)
            with way(sharing, together):
                began = perf_counter(), process_time()
                (found,) = reranker.rerank([task])
                seconds[name].append((process_time() - began[1], perf_counter() - began[0]))
            assert found.error is None, found.error
            rows[name] = {
                "way": name,
                "prompts": found.usage.calls,
                "tokens": found.usage.prompt_tokens,
                "reused": found.usage.cached_tokens,
                "seconds": min(wall for _, wall in seconds[name]),
                "CPU seconds": min(seconds[name])[0],
                "tokens/CPU s": found.usage.prompt_tokens / min(seconds[name])[0],
            }
    print(table(list(rows.values())))
    if options.json:
        told = {
            "model": options.model,
            "precision": options.precision,
            "candidates": options.candidates,
            "passage_tokens": options.passage_tokens,
        }
        figures = {**told, "rows": list(rows.values())}
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
