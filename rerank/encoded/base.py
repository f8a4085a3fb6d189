"""Texts that are encoded when asked, by an encoder that reads query and passage apart.

So a passage is encoded once, whatever the query: what the encoder made of the latest is remembered.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from ...ask import Cost, Judgement, Memory, digest
from ...core import Role, Usage
from ..scoring import Question, Scored

V = TypeVar("V")

REMEMBERED = 256 << 20
"""Bytes of encoded passages, the latest used."""
QUERIES = 1_000
"""Queries, likewise."""


@dataclass(frozen=True, slots=True)
class Encoded(Generic[V]):
    """What an encoder made of a text, the tokens that it read, and whether it left out its end."""

    value: V
    tokens: int
    truncated: bool


class Reader(Protocol[V]):
    """An encoder whose representations are compared here. Thread-safe."""

    def encode(self, texts: Sequence[str], role: Role) -> Sequence[Encoded[V]]:
        """Each text. Raises ModelError."""

    def tokens(self, texts: Sequence[str], role: Role) -> Sequence[int]:
        """How many tokens of each text it would read; 0 where no model reads it."""

    def size(self, value: V) -> int:
        """Bytes that a value takes."""

    def score(self, query: V, text: V) -> Scored:
        """Of two representations."""


class EncodedJudge(Generic[V]):
    """A Judge: a call is a text that is encoded. A query counts with the first of its passages."""

    def __init__(self, reader: Reader[V], *, remembered: int = REMEMBERED) -> None:
        self._reader = reader
        self._texts: Memory[Encoded[V]] = Memory(remembered, lambda one: reader.size(one.value))
        self._queries: Memory[Encoded[V]] = Memory(QUERIES)

    def costs(self, questions: Sequence[Question]) -> list[Cost]:
        """See Judge."""
        new = self._new(self._texts, [question.text for question in questions])
        asked = self._new(self._queries, [question.query for question in questions])
        read = dict(zip(new, self._reader.tokens(new, "document"), strict=True))
        queries = dict(zip(asked, self._reader.tokens(asked, "query"), strict=True))
        costs = []
        for question in questions:
            own, query = read.pop(question.text, 0), queries.pop(question.query, 0)
            costs.append(Cost((own > 0) + (query > 0), own + query))
        return costs

    def ask(self, questions: Sequence[Question]) -> list[Judgement[Scored]]:
        """See Judge."""
        texts, made = self._known(
            self._texts, [question.text for question in questions], "document"
        )
        queries, asked = self._known(self._queries, [q.query for q in questions], "query")
        found = []
        for question in questions:
            text, query = texts[question.text], queries[question.query]
            # Each is counted once, with the first question that it is in.
            tokens = [made.pop(question.text, 0), asked.pop(question.query, 0)]
            found.append(
                Judgement(
                    self._reader.score(query.value, text.value),
                    Usage(calls=sum(one > 0 for one in tokens), prompt_tokens=sum(tokens)),
                    (question.text,) if text.truncated else (),
                )
            )
        return found

    def key(self, question: Question) -> Hashable:
        """See Judge."""
        return question.key

    def _new(self, memory: Memory[Encoded[V]], texts: Sequence[str]) -> list[str]:
        """Those that must be encoded, each once."""
        return [text for text in dict.fromkeys(texts) if memory.get(digest(text)) is None]

    def _known(
        self, memory: Memory[Encoded[V]], texts: Sequence[str], role: Role
    ) -> tuple[dict[str, Encoded[V]], dict[str, int]]:
        """What all texts are encoded as, and the tokens of those that a model read now."""
        every = dict.fromkeys(texts)
        known = {text: one for text in every if (one := memory.get(digest(text))) is not None}
        new = [text for text in every if text not in known]
        made = dict(zip(new, self._reader.encode(new, role) if new else (), strict=True))
        for text, encoded in made.items():
            memory.put(digest(text), encoded)
        return known | made, {text: one.tokens for text, one in made.items()}
