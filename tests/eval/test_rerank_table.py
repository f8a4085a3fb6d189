"""Tables of rerankers on the same lists of a first stage."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from twindex.core import Document, InvalidInputError, Query, Usage
from twindex.eval import (
    compare,
    engine_search,
    evaluate,
    rerank_cost,
    rerank_table,
    run_queries,
    run_reranked,
)
from twindex.eval.rerank_table import FIRST_STAGE
from twindex.index import CollectionConfig, LexicalLeg
from twindex.rerank import FakeRerankerConfig
from twindex.rerank.fake import FakeReranker
from twindex.search import Collection, RerankerRegistry, RerankReport, RerankRequest

QUERIES = [Query("1", "emu flightless"), Query("2", "bird fly"), Query("3", "nobody judged this")]
QRELS = {"1": {"kiwi": 1}, "2": {"hawk": 1}, "absent": {"hawk": 1}}
TEXTS = {
    "emu": "emu emu emu emu and nothing else",
    "kiwi": "no emu but flightless" + " feathers" * 60,
    "hawk": "a bird that can fly, not flightless",
}
FAKE, BROKEN = RerankRequest(model="fake"), RerankRequest(model="broken")


@pytest.fixture
def collection(tmp_path: Path) -> Iterable[Collection]:
    config = CollectionConfig(legs={"lexical": LexicalLeg()})
    registry = RerankerRegistry(
        {"fake": FakeRerankerConfig(), "broken": FakeRerankerConfig(fails_at=0)}
    )
    with Collection.create(tmp_path / "index", config, rerankers=registry) as collection:
        collection.add(Document(id=name, text=text) for name, text in TEXTS.items())
        yield collection


def report(seconds: float, status: str = "complete", calls: int = 3) -> RerankReport:
    usage = Usage(calls=calls, prompt_tokens=10, completion_tokens=2, cache_hits=1)
    return RerankReport("it", status, 5, 4, usage, seconds, truncated=2)  # type: ignore[arg-type]


def test_rerank_cost_adds_up_reports() -> None:
    seconds = [0.1, 0.4, 0.2, 0.3]
    states = ["complete", "partial", "failed", "partial"]
    cost = rerank_cost([report(s, status) for s, status in zip(seconds, states, strict=True)])
    assert (cost.queries, cost.partial, cost.failed) == (4, 2, 1)
    assert (cost.candidates, cost.judged, cost.truncated) == (20, 16, 8)
    assert (cost.calls, cost.tokens, cost.usage.cache_hits) == (3.0, 12.0, 4)
    assert cost.p50 == pytest.approx(0.25)
    assert cost.p95 == pytest.approx(np.quantile(seconds, 0.95))


def test_run_has_the_order_of_the_reranker(collection: Collection) -> None:
    """Hits that the reranker does not receive have no score, but keep their rank."""
    request = RerankRequest(model="fake", top_n=2)
    ((run, (first, *_)),) = run_reranked(collection, QUERIES[:1], [request])
    shown = collection.search(QUERIES[0].text, rerank={"model": "fake", "top_n": 2})
    assert shown.hits[-1].rerank is not None
    assert shown.hits[-1].rerank.score is None
    assert list(run["1"]) == [hit.id for hit in shown.hits] == ["kiwi", "emu", "hawk"]
    assert list(run["1"].values()) == [1, 1 / 2, 1 / 3]
    assert (first.status, first.candidates) == ("complete", 2)
    assert run_queries(engine_search(collection, rerank=request), QUERIES[:1]) == run


def test_table_compares_with_the_first_stage(collection: Collection) -> None:
    rows = rerank_table(collection, QUERIES, QRELS, {"a": FAKE, "b": BROKEN}, ["RR@10", "R@10"])
    first, good, broken = rows
    assert [row.name for row in rows] == [FIRST_STAGE, "a", "b"]
    assert (first.cost, first.comparisons) == (None, None)
    alone = run_queries(engine_search(collection), QUERIES)
    assert first.evaluation == evaluate(alone, QRELS, ["RR@10", "R@10"])
    assert good.evaluation.measures["RR@10"] == pytest.approx(2 / 3)
    assert good.evaluation.measures["R@10"] == first.evaluation.measures["R@10"]
    assert good.comparisons is not None
    assert good.comparisons["RR@10"] == compare(
        good.evaluation.per_query["RR@10"], first.evaluation.per_query["RR@10"]
    )
    assert good.comparisons["RR@10"].wins == 1
    assert good.cost is not None
    assert (good.cost.queries, good.cost.usage.calls) == (2, 4)
    assert broken.evaluation == first.evaluation
    assert broken.cost is not None
    assert (broken.cost.failed, broken.cost.judged) == (2, 0)
    ((warning, count),) = broken.cost.warnings.items()
    assert count == 2
    assert "fails at hit 0" in warning


def test_all_rerankers_get_the_same_list(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A document written during the searches is in all lists or in none."""
    seen: list[list[str]] = []
    plain = FakeReranker.rerank

    def writing(self, tasks, budget=None):  # type: ignore[no-untyped-def]
        seen.append([candidate.id for candidate in tasks[0].candidates])
        collection.add([Document(id=f"new{len(seen)}", text="emu flightless")])
        return plain(self, tasks, budget)

    monkeypatch.setattr(FakeReranker, "rerank", writing)
    (alone, _), (_, _), (_, _) = run_reranked(collection, QUERIES[:1], [None, FAKE, BROKEN])
    assert len(seen) == 2
    assert seen[0] == seen[1] == list(alone["1"])


def test_invalid_arguments_are_rejected_before_searching(collection: Collection) -> None:
    calls: list[int] = []
    progress_like = type("P", (), {"start": lambda *a: calls.append(1)})
    with pytest.raises(InvalidInputError, match=r"rerank\.model: there is no reranker 'none'"):
        rerank_table(
            collection,
            QUERIES,
            QRELS,
            {"x": RerankRequest(model="none")},
            progress=progress_like(),
        )
    with pytest.raises(InvalidInputError, match="not a measure"):
        rerank_table(collection, QUERIES, QRELS, {"x": FAKE}, ["nonsense"])
    assert not calls
