"""Options of `twindex search` for order, facets, groups and boosts."""

from __future__ import annotations

import json

import pytest

from twindex.api.cli.main import main
from twindex.index import CollectionConfig, LexicalLeg
from twindex.search import Collection


@pytest.fixture(scope="module")
def birds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("arranging") / "birds"
    with Collection.create(folder, CollectionConfig(legs={"lexical": LexicalLeg()})) as collection:
        collection.add(
            [
                {"id": "kiwi", "text": "a bird", "metadata": {"year": 1813, "land": "nz"}},
                {"id": "kea", "text": "a bird", "metadata": {"year": 1856, "land": "nz"}},
                {"id": "emu", "text": "a bird", "metadata": {"year": 1790, "land": "au"}},
                {"id": "dodo", "text": "a bird"},
            ]
        )
    return folder


def test_documents_are_listed_without_a_query(birds, capsys):
    assert main(["search", str(birds), "--sort=-year", "--limit", "3"]) == 0
    reply = capsys.readouterr()
    assert [name for name in ("kea", "kiwi", "emu") if name in reply.out] == ["kea", "kiwi", "emu"]
    assert reply.out.index("kea") < reply.out.index("kiwi") < reply.out.index("emu")
    assert "dodo" not in reply.out
    assert all(line.strip() for line in reply.out.splitlines())


def test_facets_and_groups_are_printed(birds, capsys):
    assert main(["search", str(birds), "bird", "--facet", "land", "--group", "land=1"]) == 0
    printed = capsys.readouterr().out
    assert "land: nz 2, au 1; 1 without" in printed
    assert "= nz (2 documents)" in printed
    assert "= au (1 document)" in printed
    assert "= none (1 document)" in printed


def test_boosts_are_json(birds, capsys):
    boost = json.dumps({"kind": "filter", "filter": {"land": "au"}})
    assert main(["search", str(birds), "bird", "--boost", boost, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["hits"][0]["id"] == "emu"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--group", "land=x"], "'land=x' is not FIELD or FIELD=N"),
        (["--boost", "{"], "is not JSON"),
        (["--boost", "[]"], "is not a JSON object"),
        (["--boost", "{}"], "boosts[0]"),
        (["--sort", "a,"], "sort[1]"),
    ],
)
def test_wrong_options_are_errors(birds, capsys, options, words):
    try:
        code = main(["search", str(birds), "bird", *options])
    except SystemExit as error:
        code = error.code
    assert code == 2
    assert words in capsys.readouterr().err


def test_snippets_are_printed_with_stars(birds, capsys):
    assert main(["search", str(birds), "birds", "--highlight", "--limit", "1"]) == 0
    assert "     a *bird*\n" in capsys.readouterr().out
