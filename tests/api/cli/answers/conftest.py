"""Fixtures: a collection of birds, and a file of generators, for commands that answer."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from twindex.index import CollectionConfig, LexicalLeg
from twindex.search import Collection

KIWI = "The kiwi cannot fly. It lives in New Zealand and was described in 1813."

GENERATORS = f"""
[generators.plain]
kind = "extractive"

[generators.wrong]
kind = "fake"
text = "The kiwi was described in 1999. [1]"

[generators.slow]
kind = "fake"
milliseconds = 100

[generators.stuck]
kind = "fake"
milliseconds = {10**7}

[generators.failing]
kind = "fake"
text = "Kiwis live there. [1]"
fails_at = 2

[generators.refusing]
kind = "fake"
text = "No answer."

[generators.hostile]
kind = "fake"
text = "Red \\u001b[31m text [1]"

[backgrounds.facts]
kind = "fake"
texts = ["Kiwis have 7 hats."]

[backgrounds.down]
kind = "fake"
fails = true

[generators.gone]
kind = "language_model"
llm = {{model = "not-on-this-machine"}}
"""


@pytest.fixture(scope="module")
def birds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("asked") / "birds"
    with Collection.create(folder, CollectionConfig(legs={"lexical": LexicalLeg()})) as collection:
        collection.add(
            [
                {"id": "kiwi", "title": "Kiwi", "text": KIWI, "metadata": {"land": "NZ"}},
                {"id": "emu", "title": "Emu", "text": "The emu cannot fly, but it can run."},
                *({"id": f"z{n}", "text": f"filler{n} text"} for n in range(10)),
            ]
        )
    return folder


@pytest.fixture(scope="module")
def generators(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("generators") / "generators.toml"
    file.write_text(GENERATORS)
    return str(file)


@pytest.fixture
def twindex() -> Callable[..., subprocess.Popen[str]]:
    """Start the command line in a process that a signal can interrupt."""

    def start(*argv: str, before: Sequence[str] = (), **options: Any) -> subprocess.Popen[str]:
        # A test run in the background ignores SIGINT, and its children would do so too.
        default = partial(signal.signal, signal.SIGINT, signal.default_int_handler)
        command = [*before, sys.executable, "-m", "twindex.api.cli.main", *argv]
        pipes = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
        return subprocess.Popen(command, text=True, preexec_fn=default, **{**pipes, **options})

    return start
