"""A background without a model, for tests and experiments."""

from __future__ import annotations

from typing import Literal

from ...ask import Limits
from ...core import UNGUARDED, Guard, ModelError, Usage
from ...core.config import Flag
from .config import BACKGROUNDS, BackgroundConfig
from .protocol import WrittenBackground


@BACKGROUNDS.register
class FakeBackgroundConfig(BackgroundConfig):
    """A background without a model, for tests and experiments. A word counts as a token."""

    made_by = ".fake:FakeBackground"

    kind: Literal["fake"] = "fake"
    texts: tuple[str, ...] = ("This is a text about the question: {question}",)
    """The documents. {question} is replaced by the question."""
    fails: Flag = False
    """The model fails, as a server that cannot be reached."""


class FakeBackground:
    """Writes fixed texts. See `FakeBackgroundConfig`."""

    kind = "fake"

    def __init__(self, config: FakeBackgroundConfig | None = None) -> None:
        self._config = config or FakeBackgroundConfig()

    def write(
        self, question: str, limits: Limits | None = None, guard: Guard = UNGUARDED
    ) -> WrittenBackground:
        """See `Background.write`. The time limit is never reached."""
        guard.check()
        if self._config.fails:
            raise ModelError("the fake background fails, as set in `fails`")
        texts: list[str] = []
        usage = Usage()
        most = None if limits is None else limits.tokens
        for text in self._config.texts:
            written = " ".join(text.replace("{question}", question).split())
            cost = Usage(1, len(question.split()), completion_tokens=len(written.split()))
            spent = usage + cost
            if most is not None and spent.prompt_tokens + spent.completion_tokens > most:
                reason = f"a limit was reached after {len(texts)} of {len(self._config.texts)}"
                return WrittenBackground(texts, usage, f"{reason} documents")
            usage = spent
            texts.append(written)
        return WrittenBackground(texts, usage)
