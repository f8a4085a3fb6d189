"""Reading and writing TREC files."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from twindex.core import InvalidInputError, Run, SourceError
from twindex.eval import read_run, write_qrels, write_run
from twindex.sources import read_qrels

words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=9).filter(
    lambda text: text.split() == [text] and "\ufeff" not in text
)
scores = st.floats(allow_nan=False, allow_infinity=False)
runs = st.dictionaries(words, st.dictionaries(words, scores, min_size=1, max_size=5), max_size=4)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(runs)
def test_run_round_trip(tmp_path: Path, run: Run) -> None:
    for name in ("r.trec", "r.trec.gz"):
        write_run(tmp_path / name, run)
        assert read_run(tmp_path / name) == run


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        words, st.dictionaries(words, st.integers(-2, 4), min_size=1, max_size=5), min_size=1
    )
)
def test_judgements_round_trip(tmp_path: Path, qrels: dict[str, dict[str, int]]) -> None:
    write_qrels(tmp_path / "q.qrels", qrels)
    assert read_qrels(tmp_path / "q.qrels") == qrels


def test_lines_are_best_first_with_ties_by_id(tmp_path: Path) -> None:
    path = tmp_path / "r.trec"
    write_run(path, {"1": {"b": 0.1, "a": 0.1, "c": 2.0}}, tag="bm25")
    assert path.read_text() == "1 Q0 c 1 2.0 bm25\n1 Q0 a 2 0.1 bm25\n1 Q0 b 3 0.1 bm25\n"


@pytest.mark.parametrize(
    ("run", "tag"),
    [
        ({"1": {"a b": 1.0}}, "t"),
        ({"1 2": {"a": 1.0}}, "t"),
        ({"": {"a": 1.0}}, "t"),
        ({"1": {"a\u2028": 1.0}}, "t"),
        ({"1": {"a": 1.0}}, "my tag"),
        ({"1": {"a": math.inf}}, "t"),
        ({"1": {"a": math.nan}}, "t"),
    ],
)
def test_invalid_runs_are_not_written(tmp_path: Path, run: Run, tag: str) -> None:
    with pytest.raises(InvalidInputError):
        write_run(tmp_path / "r.trec", run, tag)
    assert not (tmp_path / "r.trec").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("1 Q0 a 1 0.5\n", ":1: must have 6 columns"),
        ("\n1 Q0 a 1 high t\n", ":2: score: must be a finite number, got 'high'"),
        ("1 Q0 a 1 inf t\n", ":1: score"),
        ("1 Q0 a 1 2 t\n1 Q0 a 2 1 t\n", ":2: document a is listed twice"),
    ],
)
def test_invalid_run_files_are_rejected(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "r.trec"
    path.write_text(content)
    with pytest.raises(SourceError, match=words):
        read_run(path)


def test_unreadable_and_unwritable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        read_run(tmp_path / "missing")
    with pytest.raises(SourceError, match="cannot be written"):
        write_run(tmp_path / "missing" / "r.trec", {})
