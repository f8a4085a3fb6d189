"""The protocol of backgrounds: a question becomes texts that a model wrote from memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ...ask import Limits
from ...core import UNGUARDED, Guard, Usage


@dataclass(frozen=True, slots=True)
class WrittenBackground:
    """The texts that a model wrote about a question.

    texts:  the texts, each on one line. No text is empty.
    usage:  usage of the model.
    reason: why texts are missing, such as "the time limit was reached"; None if all were written.
    """

    texts: Sequence[str]
    usage: Usage = field(default_factory=Usage)
    reason: str | None = None


class Background(Protocol):
    """Writes texts about a question. Thread-safe."""

    @property
    def kind(self) -> str:
        """Return the `kind` of the background's configuration, such as "language_model"."""

    def write(
        self, question: str, limits: Limits | None = None, guard: Guard = UNGUARDED
    ) -> WrittenBackground:
        """Return texts about a question.

        At a limit, writing ends: the result has the texts written so far, and its `reason` says
        which limit. The method `check` of `guard` is called while the model writes.

        Raises ModelError if the model fails or writes an empty text, InvalidInputError if the
        question is too long for the model, and the exceptions of the guard.
        """
