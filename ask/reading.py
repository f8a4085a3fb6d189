"""What a language model is given to read: passages cut to size, prompts, and what they cost."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from ..core import ConfigError
from ..llm import LanguageModel, Message, StateModel
from ..llm.protocol import Prompt
from .memory import Memory, digest

LETTERS = 16
"""Of a token, at most: longer texts are cut to so many letters before they are tokenised. Runs of
one sign can have longer tokens; they are cut sooner than need be, and reported."""

BYTES = 3
"""Of a token, where the model is behind a server and its tokens cannot be counted: low, so that
costs are rather estimated too high."""

SLACK = 4
"""Tokens that the parts of a prompt may have more together than apart."""

REMEMBERED = 20_000
"""Texts whose cut form is kept."""


def one_line(text: str) -> str:
    """White space and line breaks as single spaces, double quotes as single ones: a text in double
    quotes cannot end its own quotation and go on as if it were the prompt."""
    return " ".join(text.split()).replace('"', "'")


@dataclass(frozen=True, slots=True)
class Extract:
    """What is read of a text; truncated: not to its end."""

    text: str
    tokens: int
    truncated: bool


class Reader:
    """Texts and prompts for one model. Thread-safe.

    passage_tokens: of a passage, read at most.
    """

    def __init__(self, model: LanguageModel, passage_tokens: int) -> None:
        self._model = model
        self._local = cast(StateModel, model) if hasattr(model, "tokenize") else None
        self.remote = self._local is None
        """Behind a server: tokens are estimates."""
        self._limit = passage_tokens
        self._known: Memory[Extract] = Memory(REMEMBERED)
        self._chats = self._local is None or _has_template(self._local)

    def passage(self, text: str) -> Extract:
        """A passage on one line, cut to size."""
        return self._extract(text, self._limit)

    def cut(self, keys: Sequence[bytes], texts: Sequence[str]) -> tuple[bytes, ...]:
        """The keys of those passages that are not read to their end."""
        read = map(self.passage, texts)
        return tuple(key for key, one in zip(keys, read, strict=True) if one.truncated)

    def query(self, text: str) -> Extract:
        """A query on one line, whole."""
        return self._extract(text, None)

    def prompt(self, said: str, begun: str = "") -> Prompt:
        """A user's message and how the assistant begins to answer; plain text for a model without a
        chat template."""
        if not self._chats:
            return f"{said} {begun}" if begun else said
        user = Message("user", said)
        return [user, Message("assistant", begun)] if begun else [user]

    def spaced(self, answer: str, *, begun: bool) -> str:
        """An answer as it goes on behind `prompt`."""
        return f" {answer}" if begun or not self._chats else answer

    def count(self, text: str) -> int:
        """Tokens of a text, or an estimate."""
        if self._local is None:
            return -(-len(text.encode(errors="surrogatepass")) // BYTES)
        return len(self._local.tokenize([text])[0])

    def frame(self, said: str, begun: str = "") -> int:
        """Tokens of a prompt without query and passages."""
        prompt = self.prompt(said, begun)
        if self._local is None:
            return self.count(said + begun) + SLACK
        whole = prompt if isinstance(prompt, str) else self._local.render(prompt)
        return len(self._local.tokenize_markup(whole)) + SLACK

    def check_limit(self, tokens: int, *, field: str) -> None:
        """Raises ConfigError where a prompt of so many tokens is more than the model reads."""
        limit: int | None = getattr(self._model, "limit", None)
        if limit is not None and tokens > limit:
            raise ConfigError(
                f"prompts of up to {tokens} tokens are more than the {limit} that model "
                f"{self._model.name!r} reads: choose less",
                field=field,
            )

    def _extract(self, text: str, limit: int | None) -> Extract:
        key = (digest(text), limit is None)
        found = self._known.get(key)
        if found is None:
            found = self._cut(one_line(text), limit)
            self._known.put(key, found)
        return found

    def _cut(self, text: str, limit: int | None) -> Extract:
        if limit is None:
            return Extract(text, self.count(text), False)
        if self._local is None:
            head = text.encode(errors="surrogatepass")[: limit * BYTES].decode(errors="ignore")
            return Extract(head.rstrip(), self.count(head), len(head) < len(text))
        head = text[: limit * LETTERS]
        tokens = self._local.tokenize([head])[0]
        if len(tokens) > limit:
            whole, head = head, self._local.decode(tokens[:limit]).rstrip("\ufffd")
            if not whole.startswith(head) or self.count(head) > limit:
                size = bisect_right(range(len(whole)), limit, key=lambda n: self.count(whole[:n]))
                head = whole[: max(0, size - 1)]
        return Extract(head.rstrip(), min(len(tokens), limit), len(head) < len(text))


def _has_template(model: StateModel) -> bool:
    try:
        model.render([Message("user", "a")])
    except ConfigError:
        return False
    return True
