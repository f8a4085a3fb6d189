"""Fixtures: servers whose generators write slowly, wait, or fail."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from twindex.api.serving import preloaded
from twindex.core import ModelError, Usage
from twindex.core.sse import events
from twindex.generate import ExtractiveConfig, WritingGenerator, load_generator
from twindex.llm import Chunk

BIRDS = "/v1/collections/birds"
ANSWER = f"{BIRDS}/answer"
WARM = "What is a kiwi?"
"""The question with which a server warms its generators up."""


class Scripted:
    """A writer that follows the script in the question.

    "slow":  a word each 20 ms, 100 words. "stuck": a word, then nothing until `gate` is set.
    "fail":  a word, then ModelError. "slip": a word, then another exception. "late": nothing for
    0.4 s. "flood": 2,000 words of 4,000 characters. Otherwise: the first source, cited.
    """

    kind = "scripted"
    limit = None

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.began = threading.Event()
        self.ended = threading.Event()
        self.written = 0

    def count(self, text: str) -> int:
        return len(text.split())

    def frame(self, task: Any) -> int:
        return self.count(task.question)

    def render(self, source: Any) -> str:
        return str(source.text)

    def write(self, task: Any, sources: Any, max_tokens: int) -> Iterator[Chunk]:
        if task.question == WARM:
            yield Chunk("Warm.", "stop", Usage(calls=1))
            return
        script = task.question.split()[0]
        self.began.set()
        try:
            yield from self._words(script, sources)
            yield Chunk("", "stop", Usage(calls=1, prompt_tokens=7, completion_tokens=3))
        finally:
            self.ended.set()

    def _words(self, script: str, sources: Any) -> Iterator[Chunk]:
        count = {"slow": 100, "flood": 2_000, "late": 0}.get(script, 1)
        for number in range(count):
            self.written += 1
            word = f"word{number} " if script == "slow" else "One "
            yield Chunk("w" * 4_000 + " " if script == "flood" else word)
            if script == "slow":
                time.sleep(0.02)
        if script == "stuck":
            self.gate.wait(30)
        elif script == "late":
            time.sleep(0.4)
        elif script == "fail":
            raise ModelError("the model is out of order")
        elif script == "slip":
            raise RuntimeError("a slip in /secret/path")
        if script not in ("slow", "flood"):
            yield Chunk(f"{sources[0].text} [1]")


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    """The writer of the generators with 7 sentences, instead of their own."""
    writer = Scripted()
    generator = WritingGenerator(writer, lambda text: Counter(text.lower().split()))

    def load(config: Any, *, device: Any) -> Any:
        if isinstance(config, ExtractiveConfig) and config.sentences == 7:
            return generator
        return load_generator(config, device=device)

    monkeypatch.setattr(preloaded, "load_part", load)
    return writer


GENERATORS = """
[generators.scripted]
kind = "extractive"
sentences = 7

[generators.echo]
kind = "language_model"
llm = {model = "fake"}

[generators.numbers]
kind = "fake"
text = "Kiwi [999999999999999999999] and flies."

[generators.gone]
kind = "language_model"
llm = {model = "not-on-this-machine"}
"""


@pytest.fixture
def answering(serve, tmp_path, scripted, fake_config) -> Callable[..., TestClient]:
    """Start a server with generators and the collection `birds`."""

    def start(**settings: Any) -> TestClient:
        file = tmp_path / "generators.toml"
        file.write_text(GENERATORS)
        (tmp_path / "data").mkdir()
        client: TestClient = serve(tmp_path / "data", generators=file, **settings)
        assert client.put(BIRDS, json=fake_config).status_code == 201
        for name, text in (
            ("kiwi", "The kiwi cannot fly. It lives in New Zealand. 🐦 It has 2 legs."),
            ("emu", "The emu runs and cannot fly."),
            ("swift", "Swifts fly while they sleep."),
        ):
            body = {"title": name.capitalize(), "text": text}
            assert client.put(f"{BIRDS}/documents/{name}", json=body).status_code == 201
        return client

    return start


@pytest.fixture
def parsed() -> Callable[[bytes], list[tuple[str, bytes]]]:
    """Parse a body of server-sent events."""

    def parse(content: bytes) -> list[tuple[str, bytes]]:
        return [(event.name, event.data) for event in events([content])]

    return parse
