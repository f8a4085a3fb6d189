"""Base of rerankers that encode query and passages at query time, independently of each other.

The representation of a passage (token vectors or term weights) does not depend on the query. The
most recently used representations are cached.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from ...ask import Cost, Judgement, Memory, digest
from ...core import Role, Usage
from ..scoring import Question, Scored

V = TypeVar("V")

PASSAGE_CACHE_BYTES = 256 << 20
"""Maximum total size in bytes of the cached representations of passages."""
CACHED_QUERIES = 1_000
"""Maximum number of queries whose representations are cached."""


@dataclass(frozen=True, slots=True)
class Encoded(Generic[V]):
    """The result of encoding one text.

    value:     representation of the text.
    tokens:    number of tokens that the encoder read.
    truncated: True if the encoder cut the text.
    """

    value: V
    tokens: int
    truncated: bool


class Reader(Protocol[V]):
    """Encodes queries and passages, and scores the representation of a passage for a query.

    Thread-safe.
    """

    def encode(self, texts: Sequence[str], role: Role) -> Sequence[Encoded[V]]:
        """Encode texts as queries or documents. Raises ModelError if the encoder's model fails."""

    def tokens(self, texts: Sequence[str], role: Role) -> Sequence[int]:
        """Return for each text the number of tokens that a model reads; 0 if no model reads it."""

    def size(self, value: V) -> int:
        """Return the number of bytes that a representation takes in the cache."""

    def score(self, query: V, text: V) -> Scored:
        """Return the score of a text for a query, from their representations."""


class EncodedJudge(Generic[V]):
    """An `ask.Judge` that encodes query and passage, and scores their representations.

    In costs and usage, each text that is encoded counts as one call. A query counts only once,
    together with its first passage.
    """

    def __init__(self, reader: Reader[V], *, remembered: int = PASSAGE_CACHE_BYTES) -> None:
        self._reader = reader
        self._texts: Memory[Encoded[V]] = Memory(remembered, lambda one: reader.size(one.value))
        self._queries: Memory[Encoded[V]] = Memory(CACHED_QUERIES)

    def costs(self, questions: Sequence[Question]) -> list[Cost]:
        """Return the cost of encoding the texts that are not cached; see `Judge.costs`."""
        new = self._uncached(self._texts, [question.text for question in questions])
        new_queries = self._uncached(self._queries, [question.query for question in questions])
        read = dict(zip(new, self._reader.tokens(new, "document"), strict=True))
        queries = dict(zip(new_queries, self._reader.tokens(new_queries, "query"), strict=True))
        costs = []
        for question in questions:
            own, query = read.pop(question.text, 0), queries.pop(question.query, 0)
            costs.append(Cost((own > 0) + (query > 0), own + query))
        return costs

    def ask(self, questions: Sequence[Question]) -> list[Judgement[Scored]]:
        """Return the score of each question; see `Judge.ask`."""
        texts, made = self._encodings(
            self._texts, [question.text for question in questions], "document"
        )
        queries, made_queries = self._encodings(
            self._queries, [q.query for q in questions], "query"
        )
        found = []
        for question in questions:
            text, query = texts[question.text], queries[question.query]
            # Count each text once, with the first question that contains it.
            tokens = [made.pop(question.text, 0), made_queries.pop(question.query, 0)]
            found.append(
                Judgement(
                    self._reader.score(query.value, text.value),
                    Usage(calls=sum(one > 0 for one in tokens), prompt_tokens=sum(tokens)),
                    (question.text,) if text.truncated else (),
                )
            )
        return found

    def key(self, question: Question) -> Hashable:
        """Return the cache key of a question; see `Judge.key`."""
        return question.key

    def _uncached(self, memory: Memory[Encoded[V]], texts: Sequence[str]) -> list[str]:
        """Return the texts whose encodings `memory` does not contain, without duplicates."""
        return [text for text in dict.fromkeys(texts) if memory.get(digest(text)) is None]

    def _encodings(
        self, memory: Memory[Encoded[V]], texts: Sequence[str], role: Role
    ) -> tuple[dict[str, Encoded[V]], dict[str, int]]:
        """Return two mappings: text -> its encoding, and text -> number of tokens.

        The first mapping contains all texts, the second only those that were not in the cache.

        memory: cache of encodings, to which this method adds the new encodings.
        """
        every = dict.fromkeys(texts)
        known = {text: one for text in every if (one := memory.get(digest(text))) is not None}
        new = [text for text in every if text not in known]
        made = dict(zip(new, self._reader.encode(new, role) if new else (), strict=True))
        for text, encoded in made.items():
            memory.put(digest(text), encoded)
        return known | made, {text: one.tokens for text, one in made.items()}
