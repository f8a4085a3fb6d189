"""An installed plug-in package adds kinds without a change in the project."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

import twindex
from twindex.encoders import ENCODERS
from twindex.generate import BACKGROUNDS, GENERATORS
from twindex.generate.rewriting import REWRITERS
from twindex.index import STRUCTURES
from twindex.rerank import RERANKERS

NAME = "twindex_trigrams"
POINTS = f"""\
[twindex.encoders]
trigram = {NAME}.encoder:TrigramConfig

[twindex.indexes]
buckets = {NAME}.index:BucketConfig

[twindex.rerankers]
shared_trigrams = {NAME}.reranker:SharedTrigramsConfig

[twindex.rewriters]
reversed = {NAME}.rewriter:ReversedConfig

[twindex.generators]
quoting = {NAME}.generator:QuotingConfig

[twindex.backgrounds]
echo = {NAME}.generator:EchoConfig
"""


def wheel(folder: Path) -> Path:
    """Return a wheel of the package in this folder: a zip with its metadata."""
    path, info = folder / f"{NAME}-1.0-py3-none-any.whl", f"{NAME}-1.0.dist-info"
    files = {f"{NAME}/{f.name}": f.read_text() for f in Path(__file__).parent.glob(f"{NAME}/*.py")}
    files |= {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {NAME}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": POINTS,
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Python of a new environment with the wheel and the libraries of this one."""
    folder = tmp_path_factory.mktemp("fresh")
    venv.create(folder / "env", with_pip=False)
    python = folder / "env" / "bin" / "python"
    site = f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
    here = [sysconfig.get_path("purelib"), str(Path(twindex.__file__).parents[1])]
    (folder / "env" / site / "here.pth").write_text("\n".join(here) + "\n")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python)]
    install = [*pip, "install", "--quiet", "--no-index", "--no-deps", str(wheel(folder))]
    subprocess.run(install, check=True)
    return python


def test_kinds_of_a_plugin_build_search_serve_and_evaluate(fresh: Path, tmp_path: Path) -> None:
    command = [str(fresh), str(Path(__file__).with_name("use.py")), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    search, info, answer, evaluated, served = map(json.loads, done.stdout.split("---\n")[1:])
    assert search["hits"][0]["id"].startswith("kiwi")
    assert search["hits"][0]["rerank"]["judged"]
    assert search["rerank"]["model"] == "shared-trigrams-20"
    assert search["stages"][0]["queries"] == ["kiwis"]
    vectors = info["legs"]["dense"]["vectors"]
    assert vectors["index"] == "buckets"
    assert info["legs"]["dense"]["encoder"] == {"kind": "trigram", "width": 64}
    assert info["segments"][0]["vectors"]["dense"]["parameters"]["nprobe"] >= 1
    assert evaluated["measures"]["P@10"] > 0.9
    assert served["status"] == [201, 201, 200, 422]
    assert served["reranked"] == ["kiwi7", 1.0]
    assert served["hits"] == ["a"]
    assert served["rewritten"] == ["siwik"]
    for answered, words in ((answer, "number"), (served["answered"], "number 7")):
        assert answered["text"].startswith(f"kiwi {words} [1]")
        assert answered["citations"][0]["quotes"][0]["id"].startswith("kiwi")
        assert answered["invalid_citations"] == [99]
    assert served["answered"]["sources"][0]["text"] == "kiwi number 7 is a question."
    assert all(name.startswith("kiwi") for name in served["built"])
    (error,) = served["refused"]
    assert error["field"] == "legs.dense.encoder"
    assert '"trigram"' in error["message"]
    assert served["fields"] == ["kind", "width"]


def test_kinds_of_a_missing_plugin_are_unknown() -> None:
    assert ENCODERS.find("trigram") is None
    assert STRUCTURES.find("buckets") is None
    assert RERANKERS.find("shared_trigrams") is None
    assert REWRITERS.find("reversed") is None
    assert GENERATORS.find("quoting") is None
    assert BACKGROUNDS.find("echo") is None
