"""From a prompt to tokens.

A text is tokenised with what the tokenizer itself puts before a text (often a token that says
"begin"), a conversation as its template writes it. Names of special tokens mean something only
where the template wrote them: a document in a user's message cannot end that message.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from ..core import ConfigError, InvalidInputError
from .boundary import divide, following
from .protocol import Message, Prompt
from .tokenizer import Tokenizer

SHARED = 16
"""Tokens that prompts must begin with together for these to be read once for all."""

_MARK = "\ue002{}\ue003"
"""Stands for the content of a message while the template is written."""


class PromptTokens:
    """The tokens of one prompt, and of continuations after it."""

    def __init__(self, tokenizer: Tokenizer, prompt: Prompt) -> None:
        self._tokenizer = tokenizer
        self._markup = not isinstance(prompt, str)
        if isinstance(prompt, str):
            self._begin, self._text = tokenizer.around()[0], prompt
        else:
            self._begin, self._text = self._conversation(prompt)

    def whole(self) -> list[int]:
        """Of the prompt as it is, to be continued by the model."""
        return [*self._begin, *self._encode(self._text)]

    def parted(self, continuations: Sequence[str]) -> tuple[list[int], list[list[int]]]:
        """Of the prompt and of each continuation, see the module `boundary`."""
        kept, spaces = divide(self._text, "")
        head = self._encode(kept)
        tails = []
        for continuation in continuations:
            tail = None
            if not (self._markup and self._has_markup(continuation)):
                tail = following(head, self._encode(self._text + continuation))
            tails.append(tail or self._tokenizer.tokenize([spaces + continuation])[0])
        return [*self._begin, *head], tails

    def _encode(self, text: str) -> list[int]:
        if self._markup:
            return self._tokenizer.tokenize_markup(text)
        return self._tokenizer.tokenize([text])[0]

    def _has_markup(self, text: str) -> bool:
        return self._tokenizer.tokenize([text])[0] != self._tokenizer.tokenize_markup(text)

    def _conversation(self, messages: Sequence[Message]) -> tuple[list[int], str]:
        """Tokens of the beginning, and the text of the rest, in which names of special tokens
        stand for them."""
        if not any(self._has_markup(message.content) for message in messages):
            return [], self._tokenizer.render(messages)
        marked = [
            Message(message.role, _MARK.format(number)) for number, message in enumerate(messages)
        ]
        begin: list[int] = []
        text = self._tokenizer.render(marked)
        for number, message in enumerate(messages):
            mark = _MARK.format(number)
            if mark not in text:
                raise ConfigError(
                    "the model's chat template changes a message that contains the name of a "
                    "special token",
                    field="template",
                )
            written, text = text.split(mark, 1)
            begin += self._tokenizer.tokenize_markup(written)
            begin += self._tokenizer.tokenize([message.content])[0]
        return begin, text


def shared(rows: Sequence[list[int]]) -> list[int]:
    """What all rows begin with, if it is worth a pass of its own; else nothing."""
    if len(rows) < 2:
        return []
    first, last = min(rows), max(rows)  # rows between them begin with what these two share
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    beginning = [token for token, _ in alike]
    return beginning if len(beginning) >= SHARED else []


def check_lengths(lengths: Sequence[int], extra: Sequence[int], limit: int | None) -> None:
    """Raises InvalidInputError for a prompt that leaves no room for `extra` tokens behind it."""
    for number, (length, added) in enumerate(zip(lengths, extra, strict=True)):
        if not length:
            raise InvalidInputError("has no tokens", field=f"prompts[{number}]")
        if limit is not None and length + added > limit:
            raise InvalidInputError(
                f"{length} tokens and {added} to follow are more than the {limit} that the model "
                "reads",
                field=f"prompts[{number}]",
            )
