"""What the command line suggests instead of a wrong argument."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from twindex.api.cli.main import main
from twindex.core.near import did_you_mean, nearest
from twindex.index import CollectionConfig, LexicalLeg
from twindex.search import Collection


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the collections `birds` and `fish`, and a folder without a collection."""
    config = CollectionConfig(legs={"lexical": LexicalLeg()})
    for name in ("birds", "fish"):
        Collection.create(tmp_path / name, config).close()
    (tmp_path / "notes").mkdir()
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    with pytest.raises(SystemExit) as done:
        main(list(argv))
    assert done.value.code == 2
    return capsys.readouterr().err


def test_similar_names() -> None:
    assert nearest("Brids", ["fish", "birds"]) == "birds"
    assert nearest("zebra", ["fish", "birds"]) is None
    assert did_you_mean("fihs", ["fish"]) == "; did you mean 'fish'?"
    assert did_you_mean("zebra", ["fish"]) == ""
    assert nearest("x" * 10**6, ["fish"]) is None


def test_a_similar_command_or_option_is_suggested(capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean 'search'?" in refused(capsys, "serch", "index", "query")
    assert "did you mean '--limit'?" in refused(capsys, "search", "index", "q", "--limt=3")
    codec = ("build", "index", "--documents", "d", "--codec=int9")
    assert "did you mean 'int8'?" in refused(capsys, *codec)
    assert "did you mean" not in refused(capsys, "search", "index", "q", "--zzzz")


@pytest.mark.parametrize("options", [(), ("--limit", "3")])
def test_a_query_of_several_words_needs_quotes(
    capsys: pytest.CaptureFixture[str], options: tuple[str, ...]
) -> None:
    message = refused(capsys, "search", "my index", *options, "two", "more", "words")
    assert "put quotes around a query of several words" in message
    assert "twindex search 'my index' 'two more words'\n" in message


def test_other_commands_do_not_mention_a_query(capsys: pytest.CaptureFixture[str]) -> None:
    assert "query" not in refused(capsys, "get", "index", "id", "more").partition("\n")[0]


def test_a_parent_folder_names_its_collections(run: Any, folder: Path) -> None:
    done = run("search", str(folder), "query")
    assert done.status == 2
    assert done.err.endswith(f"in it: {folder / 'birds'}, {folder / 'fish'}\n")
    assert "name one" not in run("search", str(folder / "notes"), "query").err


def test_a_similar_collection_or_leg_is_suggested(run: Any, folder: Path) -> None:
    done = run("search", str(folder / "brids"), "query")
    assert (done.status, done.err) == (
        2,
        f"twindex: error: {folder / 'brids'}: no such folder; did you mean {folder / 'birds'}?\n",
    )
    assert "did you mean" not in run("search", str(folder / "noted"), "query").err
    done = run("search", str(folder / "birds"), "query", "--legs", "lexicla")
    assert done.err.endswith("has the legs lexical; did you mean 'lexical'?\n")


def test_calibrate_has_no_option_that_it_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["calibrate", "--help"])
    shown = capsys.readouterr().out
    assert "--rerank-top-n" in shown
    assert "--rerank-min-score X" not in shown
    assert "--rerank-on-error" not in shown
