"""Quality and cost of reranking with simulated judges that are often wrong.

    python benchmarks/run.py judges --seeds 200 --budget-seeds 100 --svg judges.svg

There are 100 candidates: 5 have grade 3, 10 grade 2, and 15 grade 1. Each candidate has a value, a
quantile of a normal distribution, and the values define the true order. The first stage orders the
candidates by value plus normal noise of the same variance. There are two kinds of judge, and both
are wrong in 20 % of prompts:

- flat:    each prompt (one order of one pair) names the wrong passage with probability 0.2, for
           every pair. So 64 % of all comparisons are right, 4 % are wrong and 32 % are ties. A
           window is ordered by the wins among its passages, where each pair is wrong with the same
           probability.
- graded:  the judge sees each value with normal noise, drawn again for each prompt. The noise is so
           large that of two random candidates the wrong one is preferred with probability 0.2.
           Similar candidates are confused often, others hardly ever. Windows are ordered by noisy
           values.

Pointwise scores are noisy values as in "graded", for both judges. Judges are consistent: the same
prompt always gets the same answer. nDCG@10 is the mean over seeds, with its 95 % confidence
interval. Batches are the model's calls for a single query. Seconds are measured with models that
sleep for each call and for each prompt: one has a large cost for each call, the other has none.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist, mean, stdev
from typing import Any

import numpy as np
from common import judges_plot
from common.timing import table

from twindex.core import Usage
from twindex.eval import evaluate
from twindex.llm import Completion, FakeModel, Likelihoods
from twindex.rerank import (
    Budget,
    Candidate,
    Chain,
    ListwiseConfig,
    PairwiseConfig,
    PointwiseConfig,
    Reranked,
    Reranker,
    Task,
)
from twindex.rerank.listwise.reranker import ListwiseReranker
from twindex.rerank.pairwise.reranker import PairwiseReranker
from twindex.rerank.pointwise.reranker import PointwiseReranker

COUNT, PLACES, WRONG = 100, 10, 0.2
GRADES = [3] * 5 + [2] * 10 + [1] * 15 + [0] * 70
BUDGETS = (50, 100, 200, 400, 800, 1_600, 3_200, 6_400)


def pairs(model: Any) -> Reranker:
    return PairwiseReranker(PairwiseConfig(method="allpair"), model)


def sort(model: Any, top_k: int = PLACES) -> Reranker:
    return PairwiseReranker(PairwiseConfig(method="sorting", top_k=top_k), model)


VARIANTS: dict[str, Callable[[Any], Reranker]] = {
    "allpair": pairs,
    "sliding": lambda m: PairwiseReranker(PairwiseConfig(method="sliding"), m),
    "heap": lambda m: PairwiseReranker(PairwiseConfig(method="sorting", sort="heap"), m),
    "tournament": sort,
    "listwise": lambda m: ListwiseReranker(ListwiseConfig(), m),
    "listwise x3": lambda m: ListwiseReranker(ListwiseConfig(passes=3), m),
    "pointwise": lambda m: PointwiseReranker(PointwiseConfig(), m),
    "tournament of 20, allpair": lambda m: Chain([(sort(m, top_k=20), COUNT), (pairs(m), 20)]),
    "pointwise, allpair of 20": lambda m: Chain(
        [(PointwiseReranker(PointwiseConfig(), m), COUNT), (pairs(m), 20)]
    ),
}
LINES = ("allpair", "sliding", "heap", "tournament")
"""Variants that are also run under budgets of calls."""

WAITS = {"30 ms/call + 1 ms/prompt": (0.030, 0.001), "20 ms/prompt": (0.0, 0.020)}


class Judge(FakeModel):
    """A simulated judge that knows the values of "d0", "d1" ... and makes errors."""

    def __init__(self, values: np.ndarray, kind: str, seed: int) -> None:
        super().__init__()
        self._values, self._kind, self._seed = values, kind, seed
        self._random = np.random.default_rng([seed, 1])
        count = len(values)
        # A random pair of values of variance 1, each with noise of variance s^2, is in the wrong
        # order with probability arccos(1 / sqrt(1 + s^2)) / pi.
        self._noise = math.sqrt(1 / math.cos(math.pi * WRONG) ** 2 - 1) if WRONG else 0.0
        seen = values[:, None] + self._noise * self._random.standard_normal((count, count))
        other = values[None, :] + self._noise * self._random.standard_normal((count, count))
        wrong = self._random.random((count, count)) < WRONG
        right = values[:, None] > values[None, :]
        self._says_a = (seen > other) if kind == "graded" else right != wrong
        self._alone = values + self._noise * self._random.standard_normal(count)
        self.calls = self.prompts = 0
        self.waits = (0.0, 0.0)

    def likelihood(self, prompts: Sequence[Any], continuations: Sequence[str]) -> Likelihoods:
        self._wait(len(prompts))
        rows = []
        for prompt in prompts:
            found = [int(i) for i in re.findall(r'^Passage.*: "d(\d+)"$', prompt[0].content, re.M)]
            good = self._says_a[found[0], found[1]] if len(found) == 2 else 0
            first = float(good) if len(found) == 2 else float(self._alone[found[0]])
            rows.append([first - 5, 0.5 - 5 if len(found) == 2 else -5])
        usage = Usage(calls=len(prompts))
        return Likelihoods(np.array(rows), np.ones((len(rows), 2), np.int64), usage)

    def generate(self, prompts: Sequence[Any], sampling: Any = None) -> list[Completion]:
        self._wait(len(prompts))
        return [Completion(self._order(p[0].content), "stop", Usage(calls=1)) for p in prompts]

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [1] * len(texts)

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        return [[1] for _ in texts]

    def _order(self, prompt: str) -> str:
        shown = np.array([int(i) for i in re.findall(r'^\[\d+\] "d(\d+)"$', prompt, re.M)])
        # The same window always gets the same answer.
        random = np.random.default_rng([self._seed, 2, *shown.tolist()])
        scores = self._values[shown] + self._noise * random.standard_normal(len(shown))
        if self._kind == "flat":
            wrong = np.triu(random.random((len(shown), len(shown))) < WRONG, 1)
            beats = self._values[shown][:, None] > self._values[shown][None, :]
            scores = (beats != (wrong | wrong.T)).sum(axis=1)
        return " > ".join(f"[{i + 1}]" for i in np.argsort(-scores, kind="stable"))[1:]

    def _wait(self, prompts: int) -> None:
        self.calls += 1
        self.prompts += prompts
        if any(self.waits):
            time.sleep(self.waits[0] + self.waits[1] * prompts)


@dataclass(frozen=True)
class World:
    """The data of one seed: values in first-stage order, and grades."""

    values: np.ndarray
    grades: list[int]

    @classmethod
    def of(cls, seed: int) -> World:
        random = np.random.default_rng([seed, 0])
        values = np.array([NormalDist().inv_cdf((i + 0.5) / COUNT) for i in range(COUNT)])[::-1]
        order = np.argsort(-(values + random.standard_normal(COUNT)))
        return cls(values[order], [GRADES[i] for i in order])

    def task(self, seed: int) -> Task:
        return Task(f"query {seed}", [Candidate(f"d{i}", f"d{i}") for i in range(COUNT)])


def quality(orders: Mapping[int, Sequence[int]], worlds: Mapping[int, World]) -> dict[str, float]:
    """Mean nDCG@10 over seeds and half of its 95 % confidence interval."""
    run = {
        str(seed): {f"d{i}": -float(place) for place, i in enumerate(order)}
        for seed, order in orders.items()
    }
    qrels = {
        str(seed): {f"d{i}": grade for i, grade in enumerate(worlds[seed].grades)}
        for seed in orders
    }
    values = list(evaluate(run, qrels, ["nDCG@10"]).per_query["nDCG@10"].values())
    return {"nDCG@10": mean(values), "±": 1.96 * stdev(values) / math.sqrt(len(values))}


def measure(
    name: str, kind: str, worlds: Mapping[int, World], budget: Budget | None = None
) -> dict[str, Any]:
    orders: dict[int, Sequence[int]] = {}
    calls, batches, comparisons = [], [], []
    for seed, world in worlds.items():
        judge = Judge(world.values, kind, seed)
        (found,) = VARIANTS[name](judge).rerank([world.task(seed)], budget)
        assert found.error is None, found.error
        orders[seed] = [placed.index for placed in found.order]
        calls.append(found.usage.calls)
        batches.append(judge.calls)
        comparisons.append(_comparisons(found))
    return {
        "variant": name,
        **quality(orders, worlds),
        "comparisons": mean(comparisons),
        "calls": mean(calls),
        "batches": mean(batches),
    }


def _comparisons(found: Reranked) -> float:
    """Number of different pairs that were compared."""
    stages = [stage for _, stage in found.stages] or [found]
    reasons = [placed.reasons for stage in stages for placed in stage.order]
    return sum(reason.get("comparisons", 0) for reason in reasons) / 2


def seconds(name: str, world: World, waits: tuple[float, float]) -> float:
    """Wall-clock time of one query."""
    judge = Judge(world.values, "graded", 0)
    judge.waits = waits
    reranker = VARIANTS[name](judge)
    began = time.perf_counter()
    reranker.rerank([world.task(0)])
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--budget-seeds", type=int, default=20, help="seeds of the curves")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--svg", type=Path, help="plot nDCG@10 over calls, one file for each judge")
    parser.add_argument("--no-waiting", action="store_true", help="do not measure seconds")
    options = parser.parse_args()
    worlds = {seed: World.of(seed) for seed in range(options.seeds)}
    some = dict(list(worlds.items())[: options.budget_seeds])
    first = quality({seed: range(COUNT) for seed in worlds}, worlds)
    waiting = {}
    if not options.no_waiting:
        for name in VARIANTS:
            waiting[name] = {
                label: seconds(name, worlds[0], waits)
                for label, waits in WAITS.items()
                if name != "allpair" or waits[0]  # the other takes minutes, and is the product
            }
    results: dict[str, Any] = {
        "candidates": COUNT,
        "places": PLACES,
        "wrong": WRONG,
        "confidence": 0.95,
        "first stage": first,
        "seeds": options.seeds,
        "judges": {},
    }
    print(f"first stage: nDCG@10 {first['nDCG@10']:.3f} ± {first['±']:.3f}")
    for kind in ("flat", "graded"):
        rows = [measure(name, kind, worlds) | {
            label: waiting.get(name, {}).get(label, "-") for label in WAITS
        } for name in VARIANTS]  # fmt: skip
        print(f"\njudge: {kind}, {WRONG:.0%} of prompts wrong\n{table(rows)}")
        curves: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            name = str(row["variant"])
            within = [b for b in BUDGETS if b < row["calls"] and name in LINES]
            curves[name] = [measure(name, kind, some, Budget(calls=b)) for b in within] + [row]
        found = [
            {"variant": name, **{f"{b} calls": _at(points, b) for b in BUDGETS}}
            for name, points in curves.items()
            if name in LINES
        ]
        print(f"\nnDCG@10 within a budget of calls\n{table(found)}")
        results["judges"][kind] = {"rows": rows, "curves": curves}
        if options.svg:
            path = options.svg.with_stem(f"{options.svg.stem}-{kind}")
            path.write_text(judges_plot.svg(curves, first["nDCG@10"], kind))
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


def _at(points: Sequence[Mapping[str, Any]], budget: int) -> float:
    """nDCG@10 of the largest run within a budget. All points except the last belong to budgets."""
    place = BUDGETS.index(budget)
    return float(points[min(place, len(points) - 1)]["nDCG@10"])


if __name__ == "__main__":
    main()
