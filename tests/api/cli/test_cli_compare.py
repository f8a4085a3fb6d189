"""`twindex compare` on reports of `twindex eval` and TREC runs."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from twindex.api.figures import p_value
from twindex.eval import write_qrels, write_run

QRELS = {str(n): {"good": 1} for n in range(20)}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of judgements and runs: `best` is always right, `half` for even queries."""
    monkeypatch.chdir(tmp_path)
    write_qrels(tmp_path / "test.qrels", QRELS)
    best = {query: {"good": 1.0} for query in QRELS}
    half = {query: {"good" if int(query) % 2 == 0 else "bad": 1.0} for query in QRELS}
    write_run(tmp_path / "best.trec", best)
    write_run(tmp_path / "half.trec.gz", half)
    write_run(tmp_path / "part.run", {**{q: best[q] for q in list(best)[:15]}, "x": {"good": 1.0}})
    return tmp_path


def test_two_runs(files: Path, run: Any) -> None:
    argv = ["half.trec.gz", "best.trec", "--qrels", "test.qrels", "--measures", "P@1"]
    done = run("compare", *argv)
    assert done.status == 0
    header, base, other = done.out.splitlines()
    assert header.split() == ["P@1", "mean", "difference", "better", "equal", "worse", "p"]
    assert base.split() == ["half", "(baseline)", "0.5000"]
    assert other.split() == ["best", "1.0000", "+0.5000", "10", "10", "0", "0.0020"]
    assert "20 queries; better, equal, worse: numbers of queries; p: probability" in done.err
    assert "warning" not in done.err
    report = run("compare", *argv, "--json").json
    assert (report["baseline"], report["queries"]) == ("half", 20)
    assert report["systems"][0]["comparisons"] == {}
    found = report["systems"][1]["comparisons"]["P@1"]
    assert found["p_value"] == pytest.approx(2 / 2**10)
    assert (found["wins"], found["ties"], found["losses"]) == (10, 10, 0)
    assert report["systems"][1]["per_query"]["P@1"] == dict.fromkeys(QRELS, 1.0)


def test_the_default_measures_and_a_named_baseline(files: Path, run: Any) -> None:
    argv = ["best.trec", "half.trec.gz", "part.run", "--qrels", "test.qrels"]
    blocks = run("compare", *argv, "--baseline", "half").out.split("\n\n")
    assert [block.split()[0] for block in blocks] == ["nDCG@10", "R@100", "RR@10"]
    assert [line.split()[0] for line in blocks[0].splitlines()[1:]] == ["best", "half", "part"]
    by_path = run("compare", *argv, "--baseline", "half.trec.gz")
    assert by_path.out.split("\n\n") == [block.rstrip("\n") for block in blocks[:-1]] + blocks[-1:]


def test_a_query_missing_in_a_run_counts_as_zero_with_a_warning(files: Path, run: Any) -> None:
    argv = ["best.trec", "part.run", "--qrels", "test.qrels", "--measures", "P@1"]
    done = run("compare", *argv)
    assert done.out.splitlines()[2].split()[1:6] == ["0.7500", "-0.2500", "0", "15", "5"]
    assert "warning: part has no results for 5 of 20 queries; they count as 0" in done.err
    assert "warning: 1 query of part skipped: no judgements" in done.err
    (_, part) = run("compare", *argv, "--json").json["systems"]
    assert (part["queries_without_results"], part["queries_without_judgements"]) == (5, 1)


def test_a_p_value_is_never_printed_as_zero(tmp_path: Path, run: Any) -> None:
    names = [str(n) for n in range(50)]
    write_qrels(tmp_path / "q", {name: {"a": 1} for name in names})
    write_run(tmp_path / "a.trec", {name: {"a": 1.0} for name in names})
    write_run(tmp_path / "b.trec", {name: {"b": 1.0} for name in names})
    argv = [str(tmp_path / name) for name in ("a.trec", "b.trec")]
    argv += ["--qrels", str(tmp_path / "q"), "--measures", "P@1"]
    assert run("compare", *argv).out.splitlines()[2].endswith("< 0.0001")
    (_, b) = run("compare", *argv, "--json").json["systems"]
    assert b["comparisons"]["P@1"]["p_value"] == pytest.approx(1 / 10_001)
    assert [p_value(p) for p in (1, 0.25, 0.0001, 0.00009999)] == (
        ["1.0000", "0.2500", "0.0001", "< 0.0001"]
    )


def test_reports_of_eval_are_compared_with_each_other_and_with_runs(
    files: Path, tmp_path: Path, run: Any
) -> None:
    """Reports that `twindex eval` writes."""
    corpus = tmp_path / "c.jsonl"
    lines = [{"_id": "good", "text": "kiwi"}, {"_id": "bad", "text": "hawk"}]
    corpus.write_text("".join(json.dumps(line) + "\n" for line in lines))
    fakes = ["--dense", "fake", "--sparse", "none", "--quiet"]
    assert run("build", "index", "--documents", str(corpus), *fakes).status == 0
    queries = "".join(f"{n}\t{'kiwi' if n % 4 else 'hawk'}\n" for n in range(20))
    (tmp_path / "q.tsv").write_text(queries)
    judged = ["--queries", "q.tsv", "--qrels", "test.qrels", "--quiet", "--measures", "P@1,RR@10"]
    single = run("eval", "index", *judged, "--legs", "lexical", "--run", "words.trec", "--json")
    (tmp_path / "words.json").write_text(single.out)
    table = run("eval", "index", *judged, "--table", "--json").out
    (tmp_path / "table.json.gz").write_bytes(gzip.compress(table.encode()))
    reranked = run("eval", "index", *judged, "--table", "--rerank", "fake", "--json").out
    (tmp_path / "reranked.json").write_text(reranked)

    report = run("compare", "words.json", "table.json.gz", "reranked.json", "--json").json
    names = [system["name"] for system in report["systems"]]
    assert names[:4] == ["words", "table:dense", "table:lexical", "table:minmax"]
    assert names[-2:] == ["reranked:first stage", "reranked:fake"]
    systems = {system["name"]: system for system in report["systems"]}
    assert set(systems["words"]["measures"]) == {"P@1", "RR@10"}
    assert systems["words"]["measures"]["P@1"] == pytest.approx(0.75)
    assert systems["table:lexical"]["per_query"] == systems["words"]["per_query"]

    # The measures of a run equal those in the report of the same search.
    (tmp_path / "words.trec").rename(tmp_path / "same.trec")
    argv = ["words.json", "same.trec", "table.json.gz", "--qrels", "test.qrels"]
    report = run("compare", *argv, "--measures", "P@1", "--json").json
    assert report["systems"][1]["per_query"] == report["systems"][0]["per_query"]
    assert report["systems"][1]["comparisons"]["P@1"]["p_value"] == 1
    done = run("compare", *argv, "--measures", "P@1", "--baseline", "table.json.gz:rrf")
    assert "table:rrf (baseline)" in done.out


def test_a_single_table_is_enough(tmp_path: Path, run: Any) -> None:
    rows = [
        {"name": name, "per_query": {"P@1": {"1": value, "2": 1}}}
        for name, value in (("a", 0.5), ("b", 1))
    ]
    path = tmp_path / "t.json"
    path.write_text(json.dumps({"table": rows}))
    report = run("compare", str(path), "--json").json
    assert [system["measures"]["P@1"] for system in report["systems"]] == [0.75, 1.0]


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["best.trec"], "RUN: at least 2 systems are required, got 1; name another run"),
        (["best.trec", "best.trec"], "RUN: best.trec is given twice; name each run once"),
        (["best.trec", "none.trec"], "none.trec: cannot be read: No such file"),
        (["best.trec", "wrong.trec"], "wrong.trec:2: must have 6 columns, query"),
        (["best.trec", "report"], "report:1: must have 6 columns, query Q0 document rank score"),
        (["best.trec", "report"], "of a report of `twindex eval --json` must end in .json"),
        (["best.trec", "empty.trec"], "empty.trec: contains no results; name another run"),
        (
            ["best.trec", "other.trec"],
            "other.trec: none of its queries has judgements in test.qrel",
        ),
        (
            ["best.trec", "half.trec.gz", "--baseline", "x"],
            "no system is named 'x'; the systems ar",
        ),
        (["best.trec", "half.trec.gz", "--measures", "nDGC@10"], "'nDGC@10' is not a measure"),
        (["best.trec", "cut.json"], "cut.json:2: is not valid JSON: "),
        (
            ["best.trec", "list.json"],
            "list.json: must be a JSON object, as `twindex eval --json` writes it",
        ),
        (
            ["best.trec", "old.json"],
            "old.json: per_query: is missing; write the report with `twind",
        ),
        (["best.trec", "rows.json"], "rows.json: table[1].per_query: is missing"),
        (["best.trec", "twice.json"], "twice.json: table[1]: must be an object with a `name`"),
        (
            ["best.trec", "word.json"],
            'word.json: per_query.P@1.7: must be a finite number, got "x"',
        ),
        (
            ["best.trec", "fine.json"],
            "fine has no values of nDCG@10; choose from P@1, or run",
        ),
        (["best.trec", "test.qrels"], "test.qrels:1: must have 6 columns"),
    ],
)
def test_errors_name_the_option(files: Path, run: Any, argv: list[str], words: str) -> None:
    contents = {
        "wrong.trec": "1 Q0 a 1 1.0 t\n2 Q0 a 1 1.0\n",
        "report": '{"measures": 1}\n',
        "empty.trec": "\n",
        "other.trec": "z Q0 a 1 1.0 t\n",
        "cut.json": '{\n"per_query": {',
        "list.json": "[1]",
        "old.json": '{"measures": {"P@1": 1}}',
        "rows.json": '{"table": [{"name": "a", "per_query": {"P@1": {"1": 1}}}, {"name": "b"}]}',
        "twice.json": '{"table": [{"name": "a", "per_query": {"P@1": {"1": 1}}}, {"name": "a"}]}',
        "word.json": '{"per_query": {"P@1": {"1": 1, "7": "x"}}}',
        "fine.json": '{"per_query": {"P@1": {"1": 1}}}',
    }
    for name, content in contents.items():
        (files / name).write_text(content)
    done = run("compare", *argv, "--qrels", "test.qrels")
    assert (done.status, done.out) == (2, "")
    assert words in done.err


def test_runs_need_judgements_and_reports_do_not(files: Path, run: Any) -> None:
    done = run("compare", "best.trec", "half.trec.gz")
    assert done.status == 2
    assert "--qrels: is required, because best.trec is a TREC run" in done.err
    one, other = files / "a.json", files / "b.json"
    one.write_text('{"per_query": {"P@1": {"1": 1}}}')
    other.write_text('{"per_query": {"R@1": {"1": 1}}}')
    done = run("compare", str(one), str(other))
    assert "--measures: the reports have no measure in common" in done.err
    (files / "sub").mkdir()
    (files / "sub" / "a.json").write_text(one.read_text())
    report = run("compare", "a.json", "sub/a.json", "--json").json
    assert [system["name"] for system in report["systems"]] == ["a.json", "sub/a.json"]


def test_systems_without_a_common_query_are_refused(files: Path, run: Any) -> None:
    for name, query in (("one", "1"), ("two", "2"), ("none", "x")):
        (files / f"{name}.json").write_text(f'{{"per_query": {{"P@1": {{"{query}": 0.5}}}}}}')
    for argv, words in (
        (["one.json", "two.json"], "RUN: system two has no query in common with system one"),
        (
            ["best.trec", "none.json", "--qrels", "test.qrels", "--measures", "P@1"],
            "RUN: system none has no",
        ),
        (
            ["none.json", "one.json", "--qrels", "test.qrels"],
            "RUN: system none has no query in common with the queries",
        ),
    ):
        done = run("compare", *argv)
        assert (done.status, done.out) == (2, "")
        assert words in done.err
