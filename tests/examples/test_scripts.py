"""Every script of `examples` runs and prints what its docstring promises."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..house import served
from .conftest import Run


@pytest.fixture
def service(tmp_path: Path) -> Iterator[str]:
    """The address of `twindex serve` in a separate process."""
    folder = tmp_path / "service"
    folder.mkdir()
    with served(folder) as address:
        yield address


def notes(folder: Path) -> Path:
    folder.mkdir()
    (folder / "deploy.md").write_text("# Deploy\n\nCopy the files and restart the server.\n")
    (folder / "cats.md").write_text("# Cats\n\nCats sleep all day.\n")
    return folder


@pytest.mark.slow  # Another test runs the same lines from the README.
def test_five_lines_print_the_hits(run_alone: Run) -> None:
    printed = run_alone("five_lines.py")
    assert re.search(r"1  kiwi  0\.\d+  dense 1, .* The kiwi cannot fly\.", printed)


def test_files_are_searched_and_updated(run: Run, tmp_path: Path) -> None:
    folder = notes(tmp_path / "notes")
    first = run("files.py", "notes", "how to deploy", "--lexical")
    assert first.startswith("2 written, 0 unchanged, 0 deleted\n\ndeploy.md: Deploy (")
    (folder / "deploy.md").unlink()
    (folder / "cats.md").write_text("# Cats\n\nCats sleep and eat.\n")
    (folder / "dogs.html").write_text("<h1>Dogs</h1><p>Dogs run.")
    second = run("files.py", "notes", "deploy cats", "--lexical")
    assert second.startswith("2 written, 0 unchanged, 1 deleted\n\ncats.md: Cats (")
    assert "eat" in second
    assert "deploy.md" not in second


def test_rest_client_leaves_the_service_as_it_was(run: Run, service: str) -> None:
    printed = run("rest_client.py", service)
    assert "3 written, 3 stored\nSearchResult: 1 of 1 documents" in printed
    assert "all: emu, kiwi, swift\nerror: " in printed
    assert run("rest_client.py", service).startswith("3 written, 3 stored")


def test_updates_and_filters_say_what_each_write_did(run: Run) -> None:
    printed = run("updates_and_filters.py").splitlines()
    assert printed[:2] == ["first write: 3 documents", "second write: 1 replaced, 2 unchanged"]
    assert {line.rpartition(": ")[2] for line in printed[2:6]} == {"3, 2", "1, 3", "1, 2"}
    assert "did you mean 'year'?" in printed[6]
    assert printed[7:] == ["deleted by id: ['2']", "deleted by filter: 1", "left: ['1'] count: 1"]


def test_ask_names_its_quotes_and_abstains(run: Run) -> None:
    printed = run("ask.py", "How fast is the emu?")
    assert "it runs 50 km/h. [1]\nanswered\n[1] emu supports=True: " in printed
    assert printed.endswith("The sources do not answer this question.\nno_answer\n")


# The package mcp passes the stderr of its import on to child processes, so it must be a real file.
def test_an_assistant_searches_fetches_and_answers(run_alone: Run) -> None:
    printed = run_alone("mcp_assistant.py").splitlines()
    assert printed[0] == "tools: search, fetch, answer, list_collections"
    assert [line.partition(",")[0] for line in printed[1:4]] == [
        "('search'",
        "('fetch'",
        "('answer'",
    ]
    assert printed[4:] == [
        "answered - The kiwi lives in New Zealand. [1] It cannot fly. [1] - mcp-birds/kiwi"
    ]


def test_promptreps_encodes_both_legs_in_one_pass(run: Run) -> None:
    printed = run("promptreps.py", "--model", "fake")
    assert printed.startswith("3 passes for 3 documents in 2 legs\n")
    assert "\nquery: " in printed
    assert re.search(r"1  kiwi .* dense 1, sparse 1 ", printed)


def test_a_reranking_under_a_budget_is_partial(run: Run) -> None:
    printed = run("rerank_under_a_budget.py", "--chain", "fake@30+mmr@6")
    tight, _, unlimited = printed.strip().split("\n\n")
    assert tight.startswith("budget {'calls': 24}: partial, ")
    assert "fake: partial, 24 of 30 judged, 24 calls" in tight
    assert unlimited.startswith("budget none: complete, ")
    assert "fake: complete, 30 of 30 judged" in unlimited


@pytest.mark.slow
def test_tune_stores_its_recommendation(run: Run) -> None:
    printed = run("tune.py", "--model", "fake", "--documents", "120")
    assert re.search(r"^flat float32 +recall 1\.000, +\d+ bytes a vector, p95 ", printed)
    assert re.search(r"stored as .+; \d+ of 10 hits are the same$", printed.strip())


def test_rag_numbers_its_sources(run: Run) -> None:
    printed = run("rag.py", "--lexical", "--model", "fake")
    assert "user: [1] Kiwi (kiwi): The kiwi of New Zealand cannot fly.\n[2] " in printed
    assert "\n\nQuestion: Which birds cannot fly?" in printed
    assert printed.rpartition("\nanswer: ")[2].strip()


@pytest.mark.slow  # Importing the frameworks takes seconds.
@pytest.mark.parametrize(
    "script", ["langchain_app.py", "llama_index_app.py", "haystack_pipeline.py"]
)
def test_applications_of_frameworks_answer_from_a_folder_and_from_a_service(
    run: Run, service: str, script: str
) -> None:
    for place in ([], ["--url", service]):
        printed = run(script, *place).splitlines()
        assert len(printed) == 2
        assert re.fullmatch(r"\d\.\d\d  The emu cannot fly, but it runs 50 km/h\.", printed[0])
        assert printed[1] == "answer: The emu cannot fly, but it runs 50 km/h. [1]"


@pytest.mark.slow
def test_two_pipelines_are_compared_on_a_user_folder(run: Run, tmp_path: Path) -> None:
    (tmp_path / "set" / "qrels").mkdir(parents=True)
    texts = {"kiwi": "The kiwi cannot fly.", "swift": "Swifts sleep in the air.", "bread": "Knead."}
    queries = {"1": "flightless bird", "2": "swifts"}
    for name, lines in (("corpus", texts), ("queries", queries)):
        rows = (json.dumps({"_id": id_, "text": text}) for id_, text in lines.items())
        (tmp_path / "set" / f"{name}.jsonl").write_text("\n".join(rows))
    (tmp_path / "set" / "qrels" / "test.tsv").write_text(
        "query-id\tcorpus-id\tscore\n1\tkiwi\t1\n2\tswift\t1\n"
    )
    printed = run("evaluate_two_pipelines.py", "set")
    assert printed.startswith("BM25  nDCG@10 0.5000  R@10 0.5000\nhybrid  nDCG@10 1.0000")
    assert "nDCG@10: +0.5000, p = 1.0000; 1 wins, 0 losses, 1 ties" in printed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["files.py", "notes", "put it into production"], r"\ndeploy\.md: Deploy \("),
        (["promptreps.py"], r"query: bird "),
        (["rerank_under_a_budget.py"], r"budget none: complete.*pointwise: complete, 6 of 6"),
        (["tune.py"], r"hnsw int8 codes only.*stored as"),
        (["rag.py"], r"\[1\].*\nanswer: "),
        (["evaluate_two_pipelines.py", "--documents", "50"], r"R@10: \+0\.\d+, p = "),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_examples_run_with_real_models(
    run_alone: Run, tmp_path: Path, command: list[str], expected: str
) -> None:
    notes(tmp_path / "notes")
    assert re.search(expected, run_alone(*command), re.DOTALL)
