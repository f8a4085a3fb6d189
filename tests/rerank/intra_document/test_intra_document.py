"""The intra-document cascade equals a short reference, with real lexical scores."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twindex.ask.course import Judgement
from twindex.ask.memory import Memory, digest
from twindex.ask.meter import Cost
from twindex.core import ConfigError, ModelError, Usage
from twindex.rerank import (
    RERANKERS,
    Budget,
    CalibrationConfig,
    Candidate,
    FakeRerankerConfig,
    IntraDocumentConfig,
    Task,
    load_reranker,
    rerank_one,
)
from twindex.rerank.calibrated import Calibrated
from twindex.rerank.intra_document.lexical_scorer import LexicalScorer
from twindex.rerank.intra_document.reranker import IntraDocumentReranker
from twindex.rerank.intra_document.windows import cut
from twindex.rerank.placing import Placing
from twindex.rerank.protocol import Needs
from twindex.rerank.scoring import Scored, by_score

FAKE = FakeRerankerConfig()


class Counting:
    """A costly reranker: the score is the number of words "x" minus `zero`; 10 tokens a call."""

    kind = "counting"
    needs = Needs()

    def __init__(self, zero=0.0, seconds=0.0, fails_at=None):
        self.zero, self.seconds, self.fails_at = zero, seconds, fails_at
        self.texts = []
        self.rounds = Placing(self)

    def rerank(self, tasks, budget=None):
        return self.rounds.rerank(
            tasks, lambda t: by_score(t, lambda _, c, i: c.read(), Scored), budget
        )

    def costs(self, questions):
        return [Cost(1, 10)] * len(questions)

    def key(self, question):
        return digest(question)

    def ask(self, questions):
        time.sleep(self.seconds * len(questions))
        if self.fails_at is not None and any(self.fails_at in text for text in questions):
            raise ModelError("as asked")
        self.texts.extend(questions)
        usage = Usage(calls=1, prompt_tokens=10)
        return [Judgement(self.score(text), usage) for text in questions]

    def score(self, text):
        return text.split().count("x") - self.zero


def config(**options) -> IntraDocumentConfig:
    return IntraDocumentConfig(slow=FAKE, size=4, overlap=1, **options)


def document(name, text, title=""):
    return Candidate(name, text[:10], title, text)


# The cascade

DOCUMENTS = st.lists(
    st.lists(st.sampled_from(["x", "q", "r", "n"]), max_size=60).map(" ".join),
    min_size=1,
    max_size=6,
)


def reference(query, texts, *, n, weights, absent, zero):
    """Return (index, score), best first, by the formula of the module."""
    scorer = LexicalScorer()
    cuts = [cut(text, 4, 1) for text in texts]
    fast = scorer.scores(query, [scorer.prepare(t, c) for t, c in zip(texts, cuts, strict=True)])
    found = []
    for place, (text, windows, scores) in enumerate(zip(texts, cuts, fast, strict=True)):
        best = sorted(range(len(windows)), key=lambda i: (-scores[i], i))[:n]
        costly = [text[windows[i].start : windows[i].end].split().count("x") - zero for i in best]
        terms = list(zip(weights[:n], sorted(costly, reverse=True), strict=False))
        score = sum(weight * value for weight, value in terms)
        if absent == "mean":
            score *= sum(weights[:n]) / sum(weight for weight, _ in terms)
        found.append((place, score))
    return sorted(found, key=lambda pair: -pair[1])


@settings(deadline=None)
@given(
    DOCUMENTS,
    st.integers(1, 6),
    st.sampled_from([(1.0, 1.0, 1.0), (1.0,), (2.0, 0.5)]),
    st.sampled_from(["mean", "zero"]),
    st.sampled_from([0.0, 5.0]),
)
def test_scores_equal_the_reference(texts, n, weights, absent, zero):
    chosen = config(windows=n, best=len(weights), weights=weights, absent=absent)
    reranker = IntraDocumentReranker(chosen, Counting(zero))
    found = rerank_one(reranker, "q r", [document(str(i), t) for i, t in enumerate(texts)])
    expected = reference("q r", texts, n=n, weights=weights, absent=absent, zero=zero)
    assert found.status == "complete"
    scores = [placed.score for placed in found.order]
    assert scores == pytest.approx([score for _, score in expected])
    if len({round(score, 6) for _, score in expected}) == len(texts):
        assert [placed.index for placed in found.order] == [place for place, _ in expected]


@settings(deadline=None)
@given(DOCUMENTS, st.integers(1, 5))
def test_n_above_the_number_of_windows_reads_every_window(texts, best):
    costly = Counting()
    reranker = IntraDocumentReranker(config(windows=1_000, best=best), costly)
    found = rerank_one(reranker, "q", [document(str(i), t) for i, t in enumerate(texts)])
    for placed in found.order:
        text = texts[placed.index]
        every = sorted((costly.score(text[w.start : w.end]) for w in cut(text, 4, 1)), reverse=True)
        share = best / len(every[:best])
        assert placed.score == pytest.approx(sum(every[:best]) * share)
        assert len(placed.reasons["windows"]) == placed.reasons["of"] == len(every)


def test_each_long_document_costs_n_calls_once():
    texts = [" ".join(f"w{i}{j}" for j in range(400)) for i in range(5)]
    reranker = IntraDocumentReranker(config(windows=3), Counting())
    candidates = [document(str(i), text) for i, text in enumerate(texts)]
    first = rerank_one(reranker, "w00", candidates)
    assert (first.usage.calls, first.usage.cache_hits) == (15, 0)
    again = rerank_one(reranker, "w00", candidates)
    assert (again.usage.calls, again.usage.cache_hits) == (0, 15)
    assert [p.index for p in again.order] == [p.index for p in first.order]


def test_reasons_list_windows_with_offsets_and_scores():
    text = "a a a a  a q x x  a a a a  x q q x"
    reranker = IntraDocumentReranker(config(windows=2, best=1), Counting())
    (placed,) = rerank_one(reranker, "q", [document("d", text, "A title")]).order
    assert placed.reasons["of"] == 4
    shown = placed.reasons["windows"]
    assert [text[w["start"] : w["end"]] for w in shown] == ["a  x q q x", "a  a q x x  a"]
    assert [w["score"] for w in shown] == [2, 2]
    assert all(w["fast"] > 0 for w in shown)
    assert placed.score == 2


def test_every_window_is_read_with_the_title():
    costly = Counting()
    rerank_one(IntraDocumentReranker(config(), costly), "q", [document("d", "a b", "x y")])
    assert costly.texts == ["x y a b"]


def test_short_documents_are_neither_favoured_nor_punished():
    short, long = document("s", "x n n n"), document("l", "x n n n n n " * 10)
    for zero in (0.0, 5.0):
        reranker = IntraDocumentReranker(config(windows=3), Counting(zero))
        found = rerank_one(reranker, "x", [short, long])
        by_name = {placed.index: placed.score for placed in found.order}
        # Each window of both documents has one or two "x".
        assert abs(by_name[0] - by_name[1]) <= 3


def test_absent_zero_scores_missing_windows_as_zero():
    short, long = document("s", "x n n n"), document("l", "x n n n " * 10)
    reranker = IntraDocumentReranker(config(windows=3, absent="zero"), Counting(5.0))
    found = rerank_one(reranker, "x", [long, short])
    assert [placed.index for placed in found.order] == [1, 0]
    assert found.order[0].score == -4


# Budgets and failures


@settings(deadline=None)
@given(st.integers(0, 30), st.integers(1, 4))
def test_a_budget_of_calls_judges_the_first_documents(calls, n):
    texts = [" ".join(f"w{i}{j}" for j in range(40)) for i in range(6)]
    reranker = IntraDocumentReranker(config(windows=n), Counting())
    candidates = [document(str(i), text) for i, text in enumerate(texts)]
    found = rerank_one(reranker, "w", candidates, Budget(calls=calls))
    judged = min(6, calls // n)
    assert found.usage.calls <= calls
    assert {p.index for p in found.order if p.judged} == set(range(judged))
    assert [p.index for p in found.order[judged:]] == list(range(judged, 6))
    assert found.status == ("complete" if judged == 6 else "partial")


def test_budget_candidates_count_documents():
    texts = ["n " * 40, "n " * 80, "x " * 40]
    reranker = IntraDocumentReranker(config(), Counting())
    candidates = [document(str(i), text) for i, text in enumerate(texts)]
    found = rerank_one(reranker, "x", candidates, Budget(candidates=2))
    assert [placed.judged for placed in found.order] == [True, True, False]
    assert found.status == "partial"


def test_usage_counts_tokens_of_the_costly_model():
    reranker = IntraDocumentReranker(config(windows=2), Counting())
    candidates = [document(str(i), f"{i} " * 40) for i in range(4)]
    found = rerank_one(reranker, "x", candidates, Budget(tokens=45))
    assert sum(placed.judged for placed in found.order) <= 2
    assert found.usage.prompt_tokens <= 45


def test_a_slow_model_returns_a_valid_order_in_time():
    reranker = IntraDocumentReranker(config(), Counting(seconds=0.02))
    candidates = [document(str(i), " ".join(f"{i}{j}" for j in range(60))) for i in range(50)]
    began = time.perf_counter()
    found = rerank_one(reranker, "x", candidates, Budget(milliseconds=200))
    assert time.perf_counter() - began < 0.75
    assert found.status == "partial"
    assert sorted(placed.index for placed in found.order) == list(range(50))
    judged = [placed.index for placed in found.order if placed.judged]
    assert set(judged) == set(range(len(judged)))


class SlowScorer(LexicalScorer):
    def prepare(self, text, windows):
        time.sleep(0.05)
        return super().prepare(text, windows)


def test_preparing_documents_stops_in_time_and_is_cached():
    reranker = IntraDocumentReranker(config(), Counting(), SlowScorer())
    candidates = [document(str(i), f"{i} " * 60) for i in range(20)]
    counts = []
    while len(counts) < 40 and counts[-1:] != [20]:
        began = time.perf_counter()
        found = rerank_one(reranker, "x", candidates, Budget(milliseconds=200))
        assert time.perf_counter() - began < 0.75
        counts.append(sum(placed.judged for placed in found.order))
    assert counts[0] < 5
    assert counts[-1] == 20  # Documents that were prepared are kept from call to call.


class LateStarter(LexicalScorer):
    """The first document takes longer, because something is loaded."""

    def prepare(self, text, windows):
        if len(windows) == 1:
            time.sleep(0.02)
        return super().prepare(text, windows)


def test_a_short_first_document_does_not_distort_time_estimates():
    reranker = IntraDocumentReranker(config(), Counting(), LateStarter())
    candidates = [document("a", "x"), document("b", "x a b c d e " * 2_000)]
    found = rerank_one(reranker, "x", candidates, Budget(milliseconds=2_000))
    assert found.status == "complete"


def test_a_failing_costly_model_keeps_the_original_order():
    reranker = IntraDocumentReranker(config(), Counting(fails_at="bad"))
    good = Task("x", [document("a", "n n"), document("b", "x x")])
    bad = Task("x", [document("a", "n n"), document("b", "bad bad")])
    found = reranker.rerank([good, bad])
    assert [one.status for one in found] == ["complete", "failed"]
    assert [placed.index for placed in found[0].order] == [1, 0]
    assert [(placed.index, placed.judged) for placed in found[1].order] == [(0, False), (1, False)]
    assert isinstance(found[1].error, ModelError)


class BrokenScorer(LexicalScorer):
    def prepare(self, text, windows):
        if "bad" in text:
            raise RuntimeError("a bug")
        return super().prepare(text, windows)


def test_a_failing_scorer_fails_its_task_only():
    reranker = IntraDocumentReranker(config(), Counting(), BrokenScorer())
    tasks = [Task("x", [document("a", text), document("b", "x")]) for text in ("bad", "n")]
    bad, good = reranker.rerank(tasks)
    assert (bad.status, good.status) == ("failed", "complete")
    assert "RuntimeError: a bug" in str(bad.error)
    assert [placed.index for placed in bad.order] == [0, 1]


def test_empty_tasks_return_empty_results():
    reranker = IntraDocumentReranker(config(), Counting())
    assert reranker.rerank([]) == []
    found = rerank_one(reranker, "x", [])
    assert (found.order, found.status) == ([], "complete")
    assert rerank_one(reranker, "x", [Candidate("a", "")]).status == "complete"


def test_memory_is_bounded():
    memory: Memory[str] = Memory(10, len)
    for key, value in [("a", "123"), ("b", "1234"), ("a", "12345"), ("c", "1")]:
        memory.put(key, value)
    assert (memory.get("a"), memory.get("b"), memory.get("c")) == ("12345", "1234", "1")
    memory.put("d", "1")
    assert memory.get("a") is None
    memory.put("e", "more than ten characters")
    assert memory.get("e") is None
    assert memory.get("d") is None
    scorer = SlowScorer()
    reranker = IntraDocumentReranker(config(memory=0), Counting(), scorer)
    assert rerank_one(reranker, "x", [document("a", "x y z")]).status == "complete"


# Configuration


def test_cascade_is_loaded_from_a_configuration():
    value = {
        "kind": "intra_document",
        "slow": {"kind": "fake"},
        "windows": 2,
        "weights": [1, 0.5, 0],
    }
    parsed = RERANKERS.parse(value)
    reranker = load_reranker(parsed)
    assert (reranker.kind, reranker.needs) == ("intra_document", Needs())
    long = document("a", "cats sleep " * 200 + "dogs bark loudly " + "cats sleep " * 200)
    found = rerank_one(reranker, "dogs bark", [document("b", "cats bark " * 200), long])
    assert found.order[0].index == 1
    assert found.usage.calls == 4


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"weights": [1, 1]}, "must have as many values as `best` says .3., got 2"),
        ({"weights": [0, 1, 1]}, "must be above 0"),
        ({"weights": [1, -1, 1]}, "between 0 and 1,000,000, got -1"),
        ({"slow": {"kind": "pairwise"}}, "slow"),
        ({"windows": 0}, "windows"),
    ],
)
def test_an_invalid_option_is_named(options, part):
    with pytest.raises(ConfigError, match=part):
        IntraDocumentConfig.parse({"slow": {"kind": "fake"}, **options})


def test_documents_can_be_prepared_in_advance():
    scorer = SlowScorer()
    reranker = IntraDocumentReranker(config(), Counting(), scorer)
    texts = [f"{i} x x" for i in range(20)]
    reranker.prepare(texts)
    candidates = [document(str(i), text) for i, text in enumerate(texts)]
    # Less than the second that SlowScorer needs for 20 documents.
    found = rerank_one(reranker, "x", candidates, Budget(milliseconds=900))
    assert found.status == "complete"


class Saturated(Counting):
    """Returns a logit, and a score that is a flat function of it."""

    def rerank(self, tasks, budget=None):
        return [
            replace(
                one,
                order=[
                    replace(placed, score=1.0, reasons={"logit": placed.score})
                    for placed in one.order
                ],
            )
            for one in super().rerank(tasks, budget)
        ]


def test_logits_are_summed_if_the_costly_model_returns_them():
    candidates = [document("a", "x n n n"), document("b", "x x x x")]
    found = rerank_one(IntraDocumentReranker(config(), Saturated(1.0)), "x", candidates)
    assert [(placed.index, placed.score) for placed in found.order] == [(1, 9.0), (0, 0.0)]
    chosen = CalibrationConfig(slope=1, intercept=0)
    calibrated = IntraDocumentReranker(config(), Calibrated(Saturated(1.0), chosen))
    found = rerank_one(calibrated, "x", candidates)
    assert found.order[0].score == pytest.approx(3 / (1 + math.exp(-1)))
