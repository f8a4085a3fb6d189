"""A new kind inside the project needs its own file and one more line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from ...house import HOUSE, ROOMS

PLUGIN = Path(__file__).parent / "twindex_trigrams"


@dataclass(frozen=True)
class New:
    """A kind of the plug-in in this folder, to be added inside the project.

    file:   new file with the kind.
    listed: file that lists the kinds.
    line:   line to add to it.
    own:    replacements in the new file, since a package cannot import itself.
    used:   a program that uses the kind.
    """

    file: str
    listed: str
    line: str
    own: dict[str, str]
    used: str


ENCODER = New(
    "encoders/trigram.py",
    "encoders/kinds.py",
    "from . import trigram",
    {
        "class TrigramConfig": "@ENCODERS.register\nclass TrigramConfig",
        '".encoder:': '".trigram:',
        "from twindex.encoders import EncoderConfig, Gives": (
            "from twindex.encoders.config import ENCODERS, EncoderConfig\n"
            "from twindex.encoders.protocol import Gives"
        ),
    },
    """
from twindex.api.cli.arguments.flags import flags
from twindex.encoders import ENCODERS
encoder = ENCODERS.parse({"kind": "trigram", "width": 32}).load()
assert encoder.encode(["kiwi"], role="query").dense.shape == (1, 32)
assert "--width" in [flag.name for flag in flags()]
""",
)
INDEX = New(
    "index/structures/buckets.py",
    "index/structures/kinds.py",
    "from . import buckets",
    {
        "class BucketConfig": "@STRUCTURES.register\nclass BucketConfig",
        '".index:': '".buckets:',
        "from twindex.index import IndexConfig, Ranking, VectorStorage": (
            "from twindex.index.protocol import Ranking\n"
            "from twindex.index.structures.protocol import STRUCTURES, IndexConfig, VectorStorage"
        ),
    },
    """
import sys
from pathlib import Path
from twindex.index import CollectionConfig
from twindex.search import Collection
index = {"kind": "buckets", "flat_below": 5}
leg = {"kind": "dense", "encoder": {"model": "fake"}, "index": index}
config = CollectionConfig.parse({"legs": {"dense": leg}})
with Collection.create(Path(sys.argv[1]), config) as birds:
    birds.add({"id": str(n), "text": f"kiwi {n}"} for n in range(20))
    birds.seal()
    assert birds.search("kiwi 7").hits[0].id == "7"
    assert birds.info()["segments"][0]["vectors"]["dense"]["index"] == "buckets"
""",
)


RERANKER = New(
    "rerank/shared_trigrams.py",
    "rerank/kinds.py",
    "from . import shared_trigrams",
    {
        "\n\n\nclass SharedTrigramsConfig": (
            "\nfrom twindex.rerank.config import RERANKERS, RerankerConfig\n"
            "\n\n@RERANKERS.register\nclass SharedTrigramsConfig"
        ),
        '".reranker:': '".shared_trigrams:',
        "from twindex.rerank import (": "from twindex.rerank.protocol import (",
        "    RerankerConfig,\n": "",
    },
    """
from twindex.rerank import Candidate, parse_spec, rerank_one
reranker = parse_spec("shared-trigrams").load()
found = rerank_one(reranker, "kiwi", [Candidate("a", "an emu"), Candidate("b", "a kiwi")])
assert [placed.index for placed in found.order] == [1, 0]
""",
)


REWRITER = New(
    "generate/rewriting/backwards.py",
    "generate/rewriting/kinds.py",
    "from . import backwards",
    {
        "class ReversedConfig": "@REWRITERS.register\nclass ReversedConfig",
        '".rewriter:': '".backwards:',
        "from twindex.generate.rewriting import Question, RewriterConfig,": (
            "from twindex.generate.rewriting.config import REWRITERS, RewriterConfig\n"
            "from twindex.generate.rewriting.protocol import Question,"
        ),
    },
    """
from twindex.generate.rewriting import REWRITERS, Question
(found,) = REWRITERS.parse({"kind": "reversed"}).load().rewrite([Question("iwik")])
assert found.texts[0].text == "kiwi"
""",
)


@pytest.mark.parametrize(
    ("name", "new"),
    [
        ("encoder", ENCODER),
        pytest.param("index", INDEX, marks=pytest.mark.slow),
        ("reranker", RERANKER),
        pytest.param("rewriter", REWRITER, marks=pytest.mark.slow),
    ],
)
def test_a_kind_needs_one_file_and_one_line(name: str, new: New, tmp_path: Path) -> None:
    house = tmp_path / "twindex"
    for room in ROOMS:
        shutil.copytree(HOUSE / room, house / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(HOUSE / "__init__.py", house)
    before = {path: path.read_bytes() for path in house.rglob("*") if path.is_file()}

    text = (PLUGIN / f"{name}.py").read_text()
    for elsewhere, here in new.own.items():
        assert elsewhere in text
        text = text.replace(elsewhere, here, 1)
    (house / new.file).write_text(text)
    with (house / new.listed).open("a") as listed:
        listed.write(f"{new.line}\n")

    now = {path: path.read_bytes() for path in house.rglob("*") if path.is_file()}
    changed = {path for path, content in now.items() if before.get(path) != content}
    assert changed == {house / new.file, house / new.listed}
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", new.used, str(tmp_path / "birds")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
