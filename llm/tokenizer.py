"""A tokenizer that threads share, and that does not take markup from strangers.

Documents come from anywhere. A document that contains `<|im_end|>` must not end the user's turn,
so in text the names of special tokens are characters like others; only parts of a prompt that we
write (`tokenize_markup`) may contain special tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any

from ..core import ConfigError, InvalidInputError, ModelError
from ..core.unicode import telling_unicode
from .protocol import Message, Tokens

_MARK = "\ue000end of the last message\ue001"

_CLOCK = "{% macro strftime_now(format) %}26 Jul 2024{% endmacro %}{{ '' }}"
"""Put before a template, so that one that tells the model the date (Llama 3.2's) always tells the
same: what a prompt gives must not change overnight. It is the date that Llama's template itself
takes where there is no clock. (The empty expression keeps a line break behind it.)"""


class Tokenizer:
    """Text to tokens and back, with a fast tokenizer of transformers. Thread-safe."""

    def __init__(self, tokenizer: Any) -> None:
        if not getattr(tokenizer, "is_fast", False):
            raise ModelError("only models with a fast tokenizer (tokenizer.json) can be used here")
        self._tokenizer = tokenizer
        # The backend keeps options (truncation, what is special) as state.
        self._lock = Lock()
        # `split_special_tokens` spares added tokens that are not called special, though some
        # models mark turns with them. Added runs of spaces are harmless.
        self._markup = frozenset(
            number
            for number, token in tokenizer.added_tokens_decoder.items()
            if not token.special and token.content.strip()
        )

        self.special_tokens = frozenset(tokenizer.all_special_ids)
        self.mask_name: str | None = tokenizer.mask_token
        self.mask_token: int | None = tokenizer.mask_token_id
        self.pad_token: int | None = tokenizer.pad_token_id
        self.end_token: int | None = tokenizer.eos_token_id
        self.limit: int = tokenizer.model_max_length  # huge where there is none

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Tokens of each text, in which names of special tokens mean nothing."""
        rows = self._encode(list(texts), split=True)
        if self._markup:
            for number, row in enumerate(rows):
                if not self._markup.isdisjoint(row):
                    rows[number] = self._without_added(texts[number])
        return rows

    def tokenize_markup(self, text: str) -> list[int]:
        """Tokens of a part of a prompt, in which names of special tokens stand for them."""
        return self._encode([text], split=False)[0]

    def around(self) -> tuple[list[int], list[int]]:
        """The special tokens that the tokenizer itself puts before and after a text."""
        (bare,) = self._encode(["a"], split=False)
        with self._lock:
            whole: list[int] = self._tokenizer("a", verbose=False).input_ids
        for start in range(len(whole) - len(bare) + 1):
            if whole[start : start + len(bare)] == bare:
                return whole[:start], whole[start + len(bare) :]
        raise ModelError("the tokenizer changes a text when it adds its special tokens")

    def piece(self, token: int) -> str:
        """The vocabulary's own name of a token; `[number]` where it has none, as models may have
        more logits than their tokenizer has tokens."""
        name = self._tokenizer.convert_ids_to_tokens(int(token))
        return f"[{token}]" if name is None else str(name)

    def decode(self, tokens: Tokens) -> str:
        """The text of tokens, special ones included, with its spaces as they are."""
        return str(self._tokenizer.decode(list(tokens), clean_up_tokenization_spaces=False))

    def render(self, messages: Sequence[Message]) -> str:
        """A conversation in the model's chat template, as text with markup.

        It ends where the assistant begins to write; if the last message is the assistant's, right
        behind the last character of that message. A template without a system role gets the
        system's message at the head of the user's. A template that tells the date always tells the
        same one.

        Raises ConfigError (field `template`) when there is no template or it refuses the
        conversation.
        """
        if not self._tokenizer.chat_template:
            raise ConfigError(
                "the model has no chat template: name one of the known templates, or 'plain'",
                field="template",
            )
        turns = [{"role": message.role, "content": message.content} for message in messages]
        if not turns:
            raise InvalidInputError("a conversation needs a message", field="messages")
        if turns[0]["role"] != "system":
            return self._render(turns)
        try:
            text = self._render(turns)
        except ConfigError:
            if len(turns) < 2 or turns[1]["role"] != "user":
                raise
        else:
            if turns[0]["content"].strip() in text:
                return text
        system, user, *rest = turns
        head = f"{system['content']}\n\n{user['content']}"
        return self._render([{"role": "user", "content": head}, *rest])

    def _render(self, turns: list[dict[str, str]]) -> str:
        from jinja2 import TemplateError

        continued = turns[-1]["role"] == "assistant"
        if continued:
            # Templates trim messages; what stands before the mark, they do not touch.
            content = turns[-1]["content"]
            turns = [*turns[:-1], {"role": "assistant", "content": content + _MARK}]
        try:
            text: str = self._tokenizer.apply_chat_template(
                turns,
                tokenize=False,
                add_generation_prompt=not continued,
                chat_template=_CLOCK + self._tokenizer.get_chat_template(),
            )
        except (TemplateError, ValueError, TypeError, ArithmeticError) as error:
            raise ConfigError(
                f"the model's chat template refuses the conversation: {error}", field="template"
            ) from error
        if not continued:
            return text
        text = text[: text.rfind(_MARK)] if _MARK in text else ""
        if not text.endswith(content.lstrip()):
            raise ConfigError(
                "the model's chat template changes the assistant's message", field="template"
            )
        return text

    def _encode(self, texts: list[str], *, split: bool) -> list[list[int]]:
        if not texts:
            return []
        with self._lock, telling_unicode(texts):
            rows: list[list[int]] = self._tokenizer(
                texts,
                add_special_tokens=False,
                split_special_tokens=split,
                return_attention_mask=False,
                verbose=False,
            ).input_ids
        return rows

    def _without_added(self, text: str) -> list[int]:
        """Tokens of a text by the vocabulary alone, as if nothing had been added to it."""
        backend = self._tokenizer.backend_tokenizer
        if backend.normalizer is not None:
            text = backend.normalizer.normalize_str(text)
        words = [text]
        if backend.pre_tokenizer is not None:
            words = [word for word, _ in backend.pre_tokenizer.pre_tokenize_str(text)]
        return [token.id for word in words for token in backend.model.tokenize(word)]
