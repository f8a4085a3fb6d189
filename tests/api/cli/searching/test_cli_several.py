"""`twindex search --also`: several collections."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

import twindex
from twindex.api.cli.main import main


@dataclass
class Done:
    code: int
    out: str
    err: str


@pytest.fixture
def cli(capsys):
    def call(*arguments: str) -> Done:
        code = main([*arguments])
        reply = capsys.readouterr()
        return Done(code, reply.out, reply.err)

    return call


CONFIG = {"legs": {"lexical": {"kind": "lexical"}}}


@pytest.fixture
def folders(tmp_path):
    for name, texts in {"sea": ["bird wing", "bird"], "land": ["bird"]}.items():
        with twindex.create(tmp_path / name, CONFIG) as collection:
            collection.add(
                {"id": f"{name}-{i}", "text": text, "metadata": {"year": 2000 + i}}
                for i, text in enumerate(texts)
            )
    return str(tmp_path / "sea"), str(tmp_path / "land")


def test_hits_of_several_collections_are_printed_with_their_places(cli, folders):
    sea, land = folders
    done = cli("search", sea, "bird", "--also", land, "--facet", "year", "--limit", "2")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0] == f"= {sea} #1 (0.0164)"
    assert [line for line in lines if line.startswith("=")] == [lines[0], f"= {land} #1 (0.0164)"]
    assert lines[-1].startswith("year: 2000 2")
    assert "2 of 3 documents" in done.err
    found = json.loads(cli("search", sea, "bird", "--also", land, "--json").out)
    assert found["query"] == "bird"
    assert [one["collection"] for one in found["hits"]] == [sea, land, sea]
    assert [one["total"]["value"] for one in found["collections"]] == [2, 1]


def test_options_of_a_search_hold_for_all_collections(cli, folders):
    sea, land = folders
    done = cli("search", sea, "bird", "--also", land, "--sort=-year", "--filter", '{"year": 2000}')
    assert done.code == 0, done.err
    assert [line.split()[1] for line in done.out.splitlines() if line.startswith("=")] == [
        sea,
        land,
    ]
    done = cli("search", sea, "bird", "--also", land, "--group", "year")
    assert done.code == 2
    assert "`group` is not supported over several collections" in done.err
    done = cli("search", sea, "bird", "--also", sea)
    assert done.code == 2
    assert "must name each collection once" in done.err
    assert cli("search", sea, "bird", "--also", f"{land}-none").code in (1, 2)
