"""The order in which a server loads its generators, and the limit of their first run."""

from __future__ import annotations

from typing import Any

import pytest

from twindex.api.serving import generators as served
from twindex.api.serving import preloaded
from twindex.api.serving.generators import ServedGenerators
from twindex.ask import LanguageModelConfig
from twindex.generate import load_generator
from twindex.generate.writers.language_model import LanguageModelGeneratorConfig, generator
from twindex.llm.fake import FakeModel


def test_extractive_is_ready_before_a_generator_with_a_model_runs() -> None:
    config = LanguageModelGeneratorConfig(llm=LanguageModelConfig(model="fake"))
    seen: list[dict[str, str]] = []

    class Recorded(ServedGenerators):
        def warm_up(self, part: Any) -> None:
            seen.append(dict(self.statuses()))
            super().warm_up(part)

    parts = Recorded({"model": config}, None)
    parts.load(lambda: False)
    assert seen[-1] == {"model": "loading", "extractive": "ready"}
    assert parts.default == "model"


def test_a_model_that_writes_without_end_becomes_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless(FakeModel):
        def stream(self, prompt: Any, sampling: Any = None) -> Any:
            while True:
                yield from list(super().stream(prompt, sampling))[:1]

    config = LanguageModelGeneratorConfig(llm=LanguageModelConfig(model="fake"))

    def load(one: Any, *, device: Any) -> Any:
        return generator(config, Endless()) if one is config else load_generator(one, device=device)

    monkeypatch.setattr(preloaded, "load_part", load)
    monkeypatch.setattr(served, "FIRST_ANSWER", 200)
    parts = ServedGenerators({"endless": config}, None)
    parts.load(lambda: False)
    assert parts.status("endless") == "ready"
