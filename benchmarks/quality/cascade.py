"""Cost and quality of the intra-document cascade on long documents, against scoring every window.

    python benchmarks/run.py cascade
    python benchmarks/run.py cascade --slow cross-encoder:./my-model --queries 30 --candidates 10

BM25 over whole documents finds the candidates. The costly reranker scores every window of a
candidate, or only the windows that a passage scorer picks:

- lexical: BM25 over windows;
- trained: a scorer trained on the costly reranker's scores, with the queries and documents of the
  other split (trained at the first run);
- first: the first windows;
- random: random windows.

With "cosine" the costly reranker is the cosine of a bi-encoder. It computes the vectors of windows
once for all queries, so that all queries can be measured. Its seconds are therefore not meaningful.
A call is a window that the costly reranker scored.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from common.datasets import CACHE, DATA
from common.timing import table
from numpy.typing import NDArray

from twindex.ask.course import Judgement
from twindex.ask.memory import digest
from twindex.ask.meter import Cost
from twindex.core import BarProgress, Document, Passage, Query, Usage
from twindex.encoders import DenseEncoderConfig, load_encoder
from twindex.eval import BeirDataset, compare, evaluate
from twindex.rerank import (
    Budget,
    Candidate,
    FakeRerankerConfig,
    IntraDocumentConfig,
    Needs,
    Reranked,
    Reranker,
    Task,
    load_reranker,
)
from twindex.rerank.intra_document.kernel_scorer import KernelScorer
from twindex.rerank.intra_document.lexical_scorer import LexicalScorer
from twindex.rerank.intra_document.reranker import IntraDocumentReranker, WindowScorer
from twindex.rerank.intra_document.windows import cut
from twindex.rerank.placing import Placing
from twindex.rerank.scoring import Scored, by_score
from twindex.rerank.spec import parse_spec
from twindex.train.lexical import LexicalSearch
from twindex.train.options import PassageScorerTraining
from twindex.train.passage_scorer_folder import make_passage_scorer

MEASURES = ("nDCG@10", "RR")
EVERY = 1_000
DEPTH = 1_000
OTHER = {"test": "dev", "dev": "test"}


class Cosine:
    """A bi-encoder as the costly reranker: the cosine of query and text.

    The vectors of the texts in `known` are stored in `file`.
    """

    kind = "cosine"
    needs = Needs()

    def __init__(self, known: Sequence[str], file: Path) -> None:
        self._encoder = load_encoder(DenseEncoderConfig())
        self._placing: Placing[tuple[str, str], float] = Placing(self, remembered=0)
        self._queries: dict[str, NDArray[np.float32]] = {}
        if not file.exists():
            made = []
            for start in range(0, len(known), 512):
                made.append(self._encoder.encode(known[start : start + 512], role="document").dense)
                print(f"  {start:,} of {len(known):,} windows encoded", flush=True)
            file.parent.mkdir(parents=True, exist_ok=True)
            np.save(file, np.vstack(made))
        self._known = dict(zip(map(digest, known), np.load(file), strict=True))

    def rerank(self, tasks: Sequence[Task], budget: Budget | None = None) -> list[Reranked]:
        return self._placing.rerank(
            tasks, lambda task: by_score(task, lambda t, c, _: (t.query, c.read()), Scored), budget
        )

    def costs(self, questions: Sequence[tuple[str, str]]) -> list[Cost]:
        return [Cost()] * len(questions)

    def key(self, question: tuple[str, str]) -> bytes:
        return digest("\0".join(question))

    def ask(self, questions: Sequence[tuple[str, str]]) -> list[Judgement[float]]:
        return [
            Judgement(float(self._query(query) @ self._known[digest(text)]), Usage(calls=1))
            for query, text in questions
        ]

    def _query(self, query: str) -> NDArray[np.float32]:
        if query not in self._queries:
            dense = self._encoder.encode([query], role="query").dense
            assert dense is not None
            self._queries[query] = dense[0]
        return self._queries[query]


@dataclass(frozen=True)
class Count:
    """The number of windows of a document, which is all that `Blind` needs."""

    windows: int
    nbytes: int = 8


class Blind:
    """A scorer that picks windows without reading them: the first ones, or random ones."""

    def __init__(self, *, at_random: bool) -> None:
        self._random = np.random.default_rng(0) if at_random else None

    def prepare(self, text: str, windows: Sequence[Passage]) -> Count:
        return Count(len(windows))

    def scores(
        self, query: str, documents: Sequence[Count], deadline: float | None = None
    ) -> list[NDArray[np.float32]]:
        if self._random is None:
            return [-np.arange(one.windows, dtype=np.float32) for one in documents]
        return [self._random.random(one.windows, np.float32) for one in documents]


def scorer_after(slow: Reranker, folder: Path, dataset: BeirDataset) -> KernelScorer:
    """The passage scorer trained on the queries of a split and the documents relevant to them."""
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        named = {name for judged in dataset.qrels.values() for name in judged}
        documents = [document for document in dataset.documents() if document.id in named]
        progress = BarProgress()
        try:
            made = make_passage_scorer(
                folder, documents, dataset.queries, slow, PassageScorerTraining(), progress=progress
            )
        finally:
            progress.close()
        found = [None if e.found is None else round(e.found, 4) for e in made.history]
        print(f"trained in {made.seconds:.0f} s; of the best 4 windows found: {found}", flush=True)
    return KernelScorer.load(folder)


def tasks_of(queries: Sequence[Query], documents: Sequence[Document], number: int) -> list[Task]:
    """A task for each query, with the best `number` documents of BM25 as candidates."""
    known = {document.id: document for document in documents}
    with LexicalSearch(documents) as lexical:
        found = lexical.search([query.text for query in queries], DEPTH)
    return [
        Task(
            query.text,
            [Candidate(name, known[name].text, known[name].title) for name in names[:number]],
        )
        for query, names in zip(queries, found, strict=True)
    ]


def measured(
    name: str,
    reranker: IntraDocumentReranker[Any],
    tasks: Sequence[Task],
    queries: Sequence[Query],
    qrels: Any,
) -> tuple[dict[str, Any], dict[str, float]]:
    """A row of the table, and nDCG@10 of each query. Preparing the documents is not timed."""
    reranker.prepare([one.text for task in tasks for one in task.candidates])
    run, calls, seconds, slow = {}, 0, 0.0, 0.0
    for query, task in zip(queries, tasks, strict=True):
        began = perf_counter()
        (found,) = reranker.rerank([task])
        seconds += perf_counter() - began
        if found.status != "complete":
            raise SystemExit(f"{query.id}: {found.status} {found.error}")
        calls += found.usage.calls + found.usage.cache_hits
        slow += found.usage.seconds
        run[query.id] = {
            task.candidates[placed.index].id: float(-place)
            for place, placed in enumerate(found.order)
        }
    result = evaluate(run, qrels, MEASURES)
    row = {
        "picked by": name,
        **{measure: result.measures[measure] for measure in MEASURES},
        "calls": calls / len(tasks),
        "seconds": seconds / len(tasks),
        "picking": (seconds - slow) / len(tasks),
    }
    return row, dict(result.per_query["nDCG@10"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="folder of BEIR-style sets")
    parser.add_argument("--set", default="qmsum_meetings_long", help="name of a set")
    parser.add_argument("--split", choices=list(OTHER), default="test")
    parser.add_argument("--slow", default="cosine", help='the costly reranker, or "cosine"')
    parser.add_argument("--queries", type=int, help="at most, drawn with a seed (default: all)")
    parser.add_argument("--candidates", type=int, default=20, help="documents of each query")
    parser.add_argument("--windows", default="1,2,3,4,6,8", help="read of each document")
    parser.add_argument(
        "--fast", default="lexical,first,random", help="who picks them; also trained"
    )
    parser.add_argument("--work", type=Path, default=CACHE / "cascade")
    parser.add_argument("--json", type=Path, help="write the figures here")
    given = parser.parse_args()
    dataset = BeirDataset.open(given.data / given.set, given.split)
    documents = list(dataset.documents())
    queries = dataset.queries
    if given.queries is not None:
        queries = random.Random(0).sample(queries, min(given.queries, len(queries)))
    qrels = {query.id: dataset.qrels[query.id] for query in queries}
    if given.slow == "cosine":
        texts = [
            Candidate("", one.text[window.start : window.end], one.title).read()
            for one in documents
            for window in cut(one.text)
        ]
        cosine = Cosine(texts, given.work / f"{given.set}.npy")

    def slow() -> Reranker:
        """The costly reranker, loaded again for each system to remember no judgements."""
        return cosine if given.slow == "cosine" else load_reranker(parse_spec(given.slow))

    def cascade(windows: int, fast: WindowScorer[Any]) -> IntraDocumentReranker[Any]:
        config = IntraDocumentConfig(slow=FakeRerankerConfig(), windows=windows, memory=2**32)
        return IntraDocumentReranker(config, slow(), fast)

    tasks = tasks_of(queries, documents, given.candidates)
    first = evaluate(
        {
            query.id: {one.id: float(-i) for i, one in enumerate(task.candidates)}
            for query, task in zip(queries, tasks, strict=True)
        },
        qrels,
        MEASURES,
    )
    print(
        f"{given.set}, {given.split}: {len(queries)} queries, {given.candidates} candidates each; "
        f"slow: {given.slow}; BM25 alone: {first.measures}",
        flush=True,
    )
    scorers: dict[str, WindowScorer[Any]] = {}
    for name in given.fast.split(","):
        if name == "lexical":
            scorers[name] = LexicalScorer()
        elif name == "trained":
            word = given.slow.replace("/", "-").replace(":", "-")
            other = BeirDataset.open(given.data / given.set, OTHER[given.split])
            folder = given.work / f"scorer-{given.set}-{OTHER[given.split]}-{word}"
            scorers[name] = scorer_after(slow(), folder, other)
        else:
            scorers[name] = Blind(at_random=name == "random")
    row, every = measured(
        "every window", cascade(EVERY, Blind(at_random=False)), tasks, queries, qrels
    )
    rows = [{**row, "of nDCG": 1.0, "p": 1.0, "fewer": 1.0}]
    print(table(rows), flush=True)
    for name, scorer in scorers.items():
        for windows in map(int, given.windows.split(",")):
            row, each = measured(
                f"{name} {windows}", cascade(windows, scorer), tasks, queries, qrels
            )
            share = row["nDCG@10"] / rows[0]["nDCG@10"]
            fewer = rows[0]["calls"] / row["calls"]
            p = compare(each, every).p_value
            rows.append({**row, "of nDCG": share, "p": p, "fewer": fewer})
        print(table(rows), flush=True)
        if given.json:
            told = ("set", "split", "slow", "candidates")
            figures = {
                **{key: getattr(given, key) for key in told},
                "queries": len(queries),
                "documents": len(documents),
                "longest_words": max(len(one.text.split()) for one in documents),
                "bm25": dict(first.measures),
                "rows": rows,
            }
            given.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
