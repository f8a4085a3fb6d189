"""Prepares input for a language model: shortens passages, builds prompts and counts tokens."""

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
"""Assumed maximum number of characters of a token. Texts are cut to this many characters per
allowed token before they are tokenised. Runs of one character can have longer tokens; such texts
are cut too early and reported as truncated."""

BYTES = 3
"""Assumed bytes per token for a model on a server, whose tokens cannot be counted here. The value
is low, so that costs are estimated too high rather than too low."""

SLACK = 4
"""Maximum number of tokens by which a prompt may exceed the sum of its parts."""

REMEMBERED = 20_000
"""Maximum number of texts whose shortened form is cached."""


def one_line(text: str) -> str:
    """Return the text on one line, with single quotes instead of double quotes.

    Prompts put texts in double quotes. A text that contains no double quotes cannot end its
    quotation.
    """
    return " ".join(text.split()).replace('"', "'")


@dataclass(frozen=True, slots=True)
class Extract:
    """The part of a text that a model reads.

    text:      the part.
    tokens:    number of tokens of the part.
    truncated: True if the part is shorter than the whole text.
    """

    text: str
    tokens: int
    truncated: bool


class Reader:
    """Prepares texts and prompts for one model. Thread-safe.

    passage_tokens: maximum number of tokens of a passage.
    """

    def __init__(self, model: LanguageModel, passage_tokens: int) -> None:
        self._model = model
        self._local = cast(StateModel, model) if hasattr(model, "tokenize") else None
        self.remote = self._local is None
        """True if the model is on a server. Numbers of tokens are then estimates."""
        self._limit = passage_tokens
        self._known: Memory[Extract] = Memory(REMEMBERED)
        self._chats = self._local is None or _has_template(self._local)

    def passage(self, text: str) -> Extract:
        """Return a passage on one line, cut to at most `passage_tokens` tokens."""
        return self._extract(text, self._limit)

    def cut(self, keys: Sequence[bytes], texts: Sequence[str]) -> tuple[bytes, ...]:
        """Return the keys of the passages that are longer than `passage_tokens`.

        keys:  a key for each text, such as its digest.
        texts: whole passages.
        """
        read = map(self.passage, texts)
        return tuple(key for key, one in zip(keys, read, strict=True) if one.truncated)

    def query(self, text: str) -> Extract:
        """Return a query on one line. A query is never cut."""
        return self._extract(text, None)

    def prompt(self, message: str, begun: str = "") -> Prompt:
        """Return a prompt with a user's message and the beginning of the assistant's answer.

        The prompt is a conversation, or a text if the model has no chat template.

        begun: beginning of the answer, which the model continues. "": the model writes the whole
               answer.
        """
        if not self._chats:
            return f"{message} {begun}" if begun else message
        user = Message("user", message)
        return [user, Message("assistant", begun)] if begun else [user]

    def spaced(self, answer: str, *, begun: bool) -> str:
        """Return an answer as the continuation of a prompt, after a space if that is needed.

        begun: True if the prompt already contains the beginning of the answer.
        """
        return f" {answer}" if begun or not self._chats else answer

    def count(self, text: str) -> int:
        """Return the number of tokens of a text. For a model on a server, this is an estimate."""
        if self._local is None:
            return -(-len(text.encode(errors="surrogatepass")) // BYTES)
        return len(self._local.tokenize([text])[0])

    @property
    def chats(self) -> bool:
        """True if the model has a chat template. A model on a server is assumed to have one."""
        return self._chats

    def whole(self, prompt: Prompt) -> int:
        """Return the number of tokens of a prompt, with the markup of the chat template."""
        if self._local is None:
            texts = [prompt] if isinstance(prompt, str) else [turn.content for turn in prompt]
            return sum(map(self.count, texts)) + SLACK * len(texts)
        whole = prompt if isinstance(prompt, str) else self._local.render(prompt)
        return len(self._local.tokenize_markup(whole)) + SLACK

    def frame(self, message: str, begun: str = "") -> int:
        """Return the number of tokens of a prompt without its query and passages.

        message: user's message with an empty query and empty passages.
        begun:   beginning of the answer.
        """
        return self.whole(self.prompt(message, begun))

    def check_limit(self, tokens: int, *, field: str) -> None:
        """Raise ConfigError if a prompt of `tokens` tokens is too long for the model.

        field: configuration field that the error names as the cause.
        """
        limit: int | None = getattr(self._model, "limit", None)
        if limit is not None and tokens > limit:
            raise ConfigError(
                f"prompts would have up to {tokens} tokens, but model {self._model.name!r} accepts "
                f"at most {limit}; use a smaller value for this field",
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
