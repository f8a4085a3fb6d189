"""Vector storage and search parameters on the command line."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from twindex.api.cli.commands.info import _search_line as searched
from twindex.api.cli.main import main
from twindex.core import TwindexError
from twindex.search import Collection

FAKES = ["--dense", "fake", "--sparse", "none", "--quiet"]
GRAPH = "[legs.dense]\nkind = 'dense'\nindex = {kind = 'hnsw', flat_below = 10, neighbors = 8}\n"


@pytest.fixture
def index(tmp_path: Path, run: Any) -> str:
    lines = [{"_id": f"d{n}", "text": f"bird number{n} of {n % 7}"} for n in range(600)]
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text("".join(json.dumps(line) + "\n" for line in lines))
    path = str(tmp_path / "index")
    assert run("build", path, "--documents", str(corpus), *FAKES).status == 0
    return path


def hits(run: Any, index: str, *flags: str) -> list[tuple[str, float]]:
    fields = ["--legs", "dense", "--depth", "10", "--json"]
    done = run("search", index, "bird number5", *fields, *flags)
    assert done.status == 0, done.err
    return [(hit["id"], hit["score"]) for hit in done.json["hits"]]


def refused(run: Any, *argv: str) -> str:
    done = run(*argv)
    assert done.status == 2
    assert done.err.startswith("twindex: error: ")
    assert "Traceback" not in done.err
    return str(done.err)


def test_reconfigure_changes_the_storage_and_reports_it(
    index: str, run: Any, tmp_path: Path
) -> None:
    exact = hits(run, index)
    assert "search: exact" in run("info", index).out
    file = tmp_path / "c.toml"
    file.write_text(GRAPH)
    done = run("reconfigure", index, "--config", str(file), "--recall", "0.9", "--quiet", "--json")
    assert done.status == 0, done.err
    assert done.json["changed"] is True
    assert done.json["warnings"] == []
    info = run("info", index, "--json").json
    stored = info["config"]["legs"]["dense"]["index"]
    assert (stored["kind"], stored["neighbors"], stored["recall"]) == ("hnsw", 8, 0.9)
    [segment] = info["segments"]
    assert segment["vectors"]["dense"]["index"] == "hnsw"
    assert set(segment["vectors"]["dense"]["calibration"]) == {"queries", "levels"}
    shown = run("info", index).out
    assert re.search(r"stored: index hnsw, codec float32, .* bytes a vector, .* in memory", shown)
    assert re.search(r"search: ef \d+.*, for recall 0\.9 of the 10", shown)
    assert hits(run, index, "--exact") == hits(run, index, "--recall", "1")
    assert [name for name, _ in hits(run, index, "--exact")] == [name for name, _ in exact]
    assert len(hits(run, index, "--search", "ef=12")) == 10
    assert "search.nprobe: leg 'dense' (index: hnsw) does not support `nprobe`" in refused(
        run, "search", index, "bird", "--search", "nprobe=3"
    )
    again = run("reconfigure", index, "--recall", "0.9", "--quiet")
    assert again.out == "already stored this way\n"
    back = run("reconfigure", index, "--index", "flat", "--originals", "float16", "--quiet")
    assert back.out.startswith("dense rewritten: ")
    assert [name for name, _ in hits(run, index)][:3] == [name for name, _ in exact][:3]


def test_a_leg_for_reranking_is_reconfigured_only_by_name(tmp_path: Path, run: Any) -> None:
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text('{"_id": "kiwi", "text": "A bird that cannot fly."}\n')
    path = str(tmp_path / "index")
    late = ["--late", "fake", "--late-codec", "int4"]
    assert run("build", path, "--documents", str(corpus), *FAKES, *late).status == 0

    def codecs() -> dict[str, str]:
        legs = run("info", path, "--json").json["config"]["legs"]
        return {name: legs[name]["codec"]["kind"] for name in ("dense", "late")}

    done = run("reconfigure", path, "--index", "hnsw", "--codec", "int8", "--quiet")
    assert done.status == 0, done.err
    assert codecs() == {"dense": "int8", "late": "int4"}
    assert run("reconfigure", path, "--codec", "binary", "--leg", "late", "--quiet").status == 0
    assert codecs() == {"dense": "int8", "late": "binary"}
    file = tmp_path / "late.toml"
    file.write_text(
        '[legs.dense]\nkind = "dense"\nencoder = {model = "fake"}\n'
        '[legs.late]\nkind = "dense"\nrole = "rerank"\ncodec = {kind = "int4"}\n'
        'encoder = {kind = "late", model = "fake"}\n'
    )
    done = run("reconfigure", path, "--config", str(file), "--codec", "float16", "--quiet")
    assert done.status == 0, done.err
    assert codecs() == {"dense": "int8", "late": "float16"}


def test_legs_for_reranking_alone_must_be_named(tmp_path: Path, run: Any) -> None:
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text('{"_id": "kiwi", "text": "A bird that cannot fly."}\n')
    path = str(tmp_path / "index")
    none = ["--dense", "none", "--sparse", "none", "--quiet", "--late", "fake"]
    assert run("build", path, "--documents", str(corpus), *none).status == 0
    assert (
        "--leg: is required, because all dense legs are for reranking; use --leg late"
        in refused(run, "reconfigure", path, "--codec", "int8")
    )


def test_build_accepts_all_storage_flags(tmp_path: Path, index: str, run: Any) -> None:
    corpus = str(tmp_path / "corpus.jsonl")
    flags = ["--originals", "float16", "--index", "hnsw", "--recall", "0.9"]
    assert run("build", str(tmp_path / "b"), "--documents", corpus, *FAKES, *flags).status == 0
    leg = run("info", str(tmp_path / "b"), "--json").json["legs"]["dense"]["vectors"]
    assert (leg["index"], leg["originals"], leg["recall"]) == ("hnsw", "float16", 0.9)


def test_invalid_reconfigurations_are_rejected(index: str, run: Any, tmp_path: Path) -> None:
    assert "nothing to change; give --index" in refused(run, "reconfigure", index)
    assert "--leg: requires a flag to apply, such as --index" in refused(
        run, "reconfigure", index, "--leg", "dense"
    )
    flags = ["--originals", "float16", "--leg"]
    assert "--leg: 'lexical' is not a dense leg; dense legs here: dense" in refused(
        run, "reconfigure", index, *flags, "lexical"
    )
    assert "--leg: 'nope' is not a dense leg" in refused(run, "reconfigure", index, *flags, "nope")
    assert "--recall: the index flat" in refused(run, "reconfigure", index, "--recall", "0.9")
    file = tmp_path / "c.toml"
    for text, words in (
        (
            "[legs.nope]\nkind = 'dense'",
            "c.toml: legs.nope: no leg of the collection has this name and kind; the legs",
        ),
        (
            "[legs.lexical]\nkind = 'dense'",
            "c.toml: legs.lexical: no leg of the collection has this name and kind",
        ),
        ("[legs.dense]\nkind = 'dense'\nindex = {kind = 'hnws'}", "c.toml: legs.dense.index"),
        (
            "[legs.dense]\nkind = 'dense'\nk1 = 3",
            "c.toml: legs.dense.k1: unknown field; known fields: index",
        ),
        (
            "[legs.dense]\nkind = 'dense'\nencoder = {model = 'other'}",
            "c.toml: legs.dense.encoder: differs from the collection and cannot be changed",
        ),
        ("[legs.lexical]\nkind = 'lexical'\nk1 = 3", "c.toml: legs.lexical.k1: differs"),
        ("[passages]\nsize = 7\noverlap = 0", "c.toml: passages: differs"),
        ("[legs.dense]\nkind = 'dense'", "nothing to change; give --index"),
        ("legs = 3", "c.toml: legs"),
        ("", "nothing to change; give --index"),
        ("legs = ", "c.toml: is not valid TOML"),
    ):
        file.write_text(text)
        assert words in refused(run, "reconfigure", index, "--config", str(file))


def test_reconfigure_requires_a_dense_leg(tmp_path: Path, run: Any) -> None:
    corpus = tmp_path / "corpus.jsonl"
    corpus.write_text('{"_id": "1", "text": "a"}\n')
    path = str(tmp_path / "c")
    flags = ["--dense", "none", "--sparse", "none", "--quiet"]
    assert run("build", path, "--documents", str(corpus), *flags).status == 0
    assert "no dense leg" in refused(run, "reconfigure", path, "--codec", "int8")
    assert "requires a dense leg, and none is selected" in refused(
        run, "search", path, "a", "--recall", "0.9"
    )


def test_eval_uses_the_search_parameters(index: str, run: Any, tmp_path: Path) -> None:
    queries, qrels = tmp_path / "queries.tsv", tmp_path / "qrels.txt"
    queries.write_text("q1\tbird number5\n")
    qrels.write_text("q1 0 d5 1\n")
    files = ["--queries", str(queries), "--qrels", str(qrels), "--quiet", "--json"]
    done = run("eval", index, *files, "--recall", "0.9")
    assert done.status == 0, done.err
    assert done.json["search"] == {"recall": 0.9}
    done = run("eval", index, *files, "--table", "--exact")
    assert done.status == 0, done.err
    assert {row["name"] for row in done.json["table"]} >= {"dense", "lexical"}
    assert "search.ef" in refused(run, "eval", index, *files, "--search", "ef=3")


@pytest.mark.parametrize(
    ("dense", "line"),
    [
        ("originals = 'float16'", "search: exact"),
        (
            "index = {kind = 'hnsw'}",
            "search: exact, because the segments are too small for this storage",
        ),
        (
            "codec = {kind = 'int8'}",
            "search: exact, because the segments are too small for this storage",
        ),
        ("index = {kind = 'ivf', flat_below = 0, recall = 1.0}", "search: exact"),
    ],
)
def test_info_says_why_a_search_is_exact(
    index: str, run: Any, tmp_path: Path, dense: str, line: str
) -> None:
    file = tmp_path / "c.toml"
    file.write_text(f"[legs.dense]\nkind = 'dense'\n{dense}\n")
    assert run("reconfigure", index, "--config", str(file), "--quiet").status == 0
    assert f"  {line}\n" in run("info", index).out


def test_info_says_if_an_index_cannot_reach_its_recall() -> None:
    configured = {"index": "ivf", "codec": "pq", "projection": None, "recall": 0.98}
    segment = {**configured, "parameters": "exact", "calibration": {"levels": []}}
    assert searched(configured, segment).startswith(
        "exact, because the index does not reach recall 0.98"
    )


def test_damaged_files_of_an_index_are_named(index: str, run: Any, tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text(GRAPH)
    assert run("reconfigure", index, "--config", str(file), "--quiet").status == 0
    [segment] = (tmp_path / "index" / "segments").iterdir()
    files = sorted(path for path in segment.rglob("*") if path.is_file())
    assert len([path for path in files if path.parent.name == "dense"]) >= 2
    for path in files:
        data = path.read_bytes()
        for damaged in (
            data[:-1],
            b"",
            data[:-1] + bytes([data[-1] ^ 255]),
            bytes([data[0] ^ 255]) + data[1:],
        ):
            path.write_bytes(damaged)
            done = run("verify", index, "--json")
            assert done.status == 1
            assert any(str(path) in problem for problem in done.json["problems"])
        path.unlink()
        assert f"{path}: is missing" in run("verify", index).out
        path.write_bytes(data)
    assert run("verify", index).status == 0


def test_two_real_processes(index: str, run: Any) -> None:
    """Another process changes the storage while this one has the collection open."""
    from twindex.search import Collection

    with Collection.open(index) as collection:
        before = {hit.id for hit in collection.search("bird number5", limit=40).hits}
        command = [sys.executable, "-m", "twindex.api.cli.main", "reconfigure", index]
        flags = ["--originals", "float16", "--quiet"]
        done = subprocess.run([*command, *flags], capture_output=True, text=True, timeout=120)
        assert (done.returncode, done.stderr) == (0, "")
        assert {hit.id for hit in collection.search("bird number5", limit=40).hits} == before
        assert collection.config.legs["dense"].originals == "float16"  # type: ignore[union-attr]
        with pytest.raises(TwindexError, match=r"search\.nprobe"):
            collection.search("bird", search={"nprobe": 3})


def test_recall_and_a_search_parameter_conflict(tmp_path: Path, capsys: Any) -> None:
    documents = tmp_path / "d.jsonl"
    documents.write_text('{"_id": "1", "text": "kiwi"}\n')
    folder, fakes = str(tmp_path / "c"), ["--dense", "fake", "--sparse", "none", "--quiet"]
    build = ["build", folder, "--documents", str(documents), *fakes, "--index", "ivf"]
    assert main([*build, "--index-nprobe", "3", "--recall", "0.9"]) == 2
    assert "--recall" in (error := capsys.readouterr().err)
    assert "give one" in error
    assert main([*build, "--recall", "0.9"]) == 0
    assert main(["reconfigure", folder, "--index-nprobe", "7", "--quiet"]) == 0
    with Collection.open(folder, read_only=True) as collection:
        index = dict(collection.config.legs["dense"].index)  # type: ignore[attr-defined]
        assert (index["nprobe"], index["recall"]) == (7, None)
    assert main(["reconfigure", folder, "--index-ef-search", "7", "--quiet"]) == 2
    assert "an index of the kind hnsw" in capsys.readouterr().err
