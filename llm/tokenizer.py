"""A thread-safe tokenizer that treats special tokens in untrusted text as plain text.

A document that contains `<|im_end|>` must not end the user's turn. `tokenize` therefore treats the
names of special tokens as ordinary characters. `tokenize_markup` accepts special tokens, and must
be called only with trusted parts of a prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any

from ..core import ConfigError, InvalidInputError, ModelError
from ..core.unicode import unicode_errors
from .protocol import Message, Tokens

_MARK = "\ue000end of the last message\ue001"

_CLOCK = "{% macro strftime_now(format) %}26 Jul 2024{% endmacro %}{{ '' }}"
"""Text before every template. It fixes the date for templates that write today's date (Llama 3.2).

The result of a prompt must not change from day to day. Llama's template itself uses this date if
there is no clock. The empty expression at the end keeps a line break that follows it."""


class Tokenizer:
    """Converts text to tokens and back with a fast tokenizer of transformers. Thread-safe."""

    def __init__(self, tokenizer: Any) -> None:
        if not getattr(tokenizer, "is_fast", False):
            raise ModelError(
                "the model has no fast tokenizer (tokenizer.json); use a model that has one"
            )
        self._tokenizer = tokenizer
        # The backend keeps options (truncation, special tokens) as state.
        self._lock = Lock()
        # `split_special_tokens` does not split added tokens that are not marked as special, but
        # some models use them to mark turns. Added runs of spaces are harmless.
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
        self.limit: int = tokenizer.model_max_length  # A huge number if there is no limit.

    def tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the tokens of each text.

        The name of a special token, such as `<|im_end|>`, is tokenised as ordinary characters.
        """
        rows = self._encode(list(texts), split=True)
        if self._markup:
            for number, row in enumerate(rows):
                if not self._markup.isdisjoint(row):
                    rows[number] = self._without_added(texts[number])
        return rows

    def tokenize_markup(self, text: str) -> list[int]:
        """Return the tokens of a trusted text, such as the output of a chat template.

        The name of a special token, such as `<|im_end|>`, becomes that special token.
        """
        return self._encode([text], split=False)[0]

    def around(self) -> tuple[list[int], list[int]]:
        """Return the special tokens that the tokenizer puts before and after a text."""
        (bare,) = self._encode(["a"], split=False)
        with self._lock:
            whole: list[int] = self._tokenizer("a", verbose=False).input_ids
        for start in range(len(whole) - len(bare) + 1):
            if whole[start : start + len(bare)] == bare:
                return whole[:start], whole[start + len(bare) :]
        raise ModelError(
            "the model's tokenizer changes a text when it adds special tokens; use another model"
        )

    def piece(self, token: int) -> str:
        """Return the name of a token in the vocabulary, or `[number]` if the token has no name.

        A token has no name if the model has more logits than its tokenizer has tokens.
        """
        name = self._tokenizer.convert_ids_to_tokens(int(token))
        return f"[{token}]" if name is None else str(name)

    def decode(self, tokens: Tokens) -> str:
        """Return the text of the tokens, including special tokens. Spaces are not changed."""
        return str(self._tokenizer.decode(list(tokens), clean_up_tokenization_spaces=False))

    def render(self, messages: Sequence[Message]) -> str:
        """Return a conversation as text with markup, written by the model's chat template.

        The text ends where the assistant begins to write. If the last message is the assistant's,
        the text ends after the last character of that message. If a template has no system role,
        the system message is put before the user's message. Templates that write today's date write
        a fixed date instead.

        Raises ConfigError (field `template`) if the model has no chat template or the template
        refuses the conversation.
        """
        if not self._tokenizer.chat_template:
            raise ConfigError(
                "the model has no chat template; choose one of the known templates, or 'plain'",
                field="template",
            )
        turns = [{"role": message.role, "content": message.content} for message in messages]
        if not turns:
            raise InvalidInputError("must contain at least one message", field="messages")
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
            # Templates trim messages. The mark protects the spaces before it.
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
                f"the model's chat template refuses the conversation ({error})", field="template"
            ) from error
        if not continued:
            return text
        text = text[: text.rfind(_MARK)] if _MARK in text else ""
        if not text.endswith(content.lstrip()):
            raise ConfigError(
                "the model's chat template changes the assistant's message; "
                "choose another template",
                field="template",
            )
        return text

    def _encode(self, texts: list[str], *, split: bool) -> list[list[int]]:
        if not texts:
            return []
        with self._lock, unicode_errors(texts):
            rows: list[list[int]] = self._tokenizer(
                texts,
                add_special_tokens=False,
                split_special_tokens=split,
                return_attention_mask=False,
                verbose=False,
            ).input_ids
        return rows

    def _without_added(self, text: str) -> list[int]:
        """Return the tokens of a text, without tokens that were added to the vocabulary."""
        backend = self._tokenizer.backend_tokenizer
        if backend.normalizer is not None:
            text = backend.normalizer.normalize_str(text)
        words = [text]
        if backend.pre_tokenizer is not None:
            words = [word for word, _ in backend.pre_tokenizer.pre_tokenize_str(text)]
        return [token.id for word in words for token in backend.model.tokenize(word)]
