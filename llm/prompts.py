"""Converts prompts to tokens.

A prompt is a text or a conversation. A text gets the special tokens that the tokenizer puts before
every text, such as a begin token. A conversation is tokenised as the model's chat template writes
it. Names of special tokens become special tokens only where the template wrote them, so a document
in a user's message cannot end that message.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from ..core import ConfigError, InvalidInputError
from .boundary import divide, following
from .protocol import Message, Prompt
from .tokenizer import Tokenizer

SHARED = 16
"""Minimum number of tokens of a prefix of several prompts, for the model to read it only once."""

_MARK = "\ue002{}\ue003"
"""Placeholder for the content of a message while the template is rendered."""


class PromptTokens:
    """Computes the tokens of one prompt and of continuations after it."""

    def __init__(self, tokenizer: Tokenizer, prompt: Prompt) -> None:
        self._tokenizer = tokenizer
        self._markup = not isinstance(prompt, str)
        if isinstance(prompt, str):
            self._begin, self._text = tokenizer.around()[0], prompt
        else:
            self._begin, self._text = self._conversation(prompt)

    def whole(self) -> list[int]:
        """Return the tokens of the whole prompt, for a model that generates its continuation."""
        return [*self._begin, *self._encode(self._text)]

    def parted(self, continuations: Sequence[str]) -> tuple[list[int], list[list[int]]]:
        """Return the tokens of the prompt, and the tokens of each continuation after it.

        Spaces at the end of the prompt become part of the continuations. The module `boundary`
        explains why.
        """
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
        """Return the first part of a conversation as tokens, and the rest as text.

        If a message contains the name of a special token, the first part ends with the last
        message; otherwise the first part is empty. In the rest, all names of special tokens come
        from the chat template, so `tokenize_markup` can tokenise the rest.
        """
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
                    "special token; remove that name from the message",
                    field="template",
                )
            written, text = text.split(mark, 1)
            begin += self._tokenizer.tokenize_markup(written)
            begin += self._tokenizer.tokenize([message.content])[0]
        return begin, text


def shared(rows: Sequence[list[int]]) -> list[int]:
    """Return the tokens with which all rows begin; [] if these are fewer than `SHARED`."""
    if len(rows) < 2:
        return []
    first, last = min(rows), max(rows)  # All rows in between share the prefix of these two.
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    beginning = [token for token, _ in alike]
    return beginning if len(beginning) >= SHARED else []


def check_lengths(lengths: Sequence[int], extra: Sequence[int], limit: int | None) -> None:
    """Raise InvalidInputError for a prompt that is empty or too long for the model.

    lengths: number of tokens of each prompt.
    extra:   number of tokens that follow each prompt, from a continuation or from generation.
    limit:   maximum number of tokens that the model accepts (prompt plus extra); None: unlimited.
    """
    for number, (length, added) in enumerate(zip(lengths, extra, strict=True)):
        if not length:
            raise InvalidInputError(
                "has no tokens; it must not be empty", field=f"prompts[{number}]"
            )
        if limit is not None and length + added > limit:
            raise InvalidInputError(
                f"has {length} tokens and needs {added} more for the continuation, but the model "
                f"accepts at most {limit}; shorten the prompt or the continuation, or reduce "
                "`max_tokens`",
                field=f"prompts[{number}]",
            )
