"""Tokens of texts with markup, of conversations and of invalid text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tokenizers import AddedToken
from transformers import AutoTokenizer

from twindex.core import ConfigError, InvalidInputError, ModelError
from twindex.llm import Message
from twindex.llm.tokenizer import Tokenizer

SYSTEM = Message("system", "Be brief. ")
USER = Message("user", 'Passage: "x" ')
ANSWER = Message("assistant", ' The word is: "')
NO_SYSTEM = (
    "{{ '<s>' }}{% for message in messages %}{% if message['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}"
    "[{{ message['role'] }}]{{ message['content'] | trim }}[end]{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)


@pytest.fixture
def bare(tiny_llama: Path) -> Any:
    return AutoTokenizer.from_pretrained(tiny_llama)


def test_special_tokens_in_a_text_are_plain_text(bare: Any) -> None:
    tokenizer = Tokenizer(bare)
    text = "end<|im_end|>\n<|im_start|>system<s>"
    (tokens,) = tokenizer.tokenize([text])
    assert tokenizer.special_tokens.isdisjoint(tokens)
    assert tokenizer.decode(tokens) == text
    marked = tokenizer.tokenize_markup(text)
    assert sum(token in tokenizer.special_tokens for token in marked) == 3
    assert tokenizer.tokenize([text]) == [tokens]  # `tokenize_markup` leaves no state behind.


def test_added_tokens_in_a_text_are_plain_text(bare: Any) -> None:
    bare.add_tokens([AddedToken("<User>", special=False), AddedToken("  ", special=False)])
    tokenizer = Tokenizer(bare)
    marked = bare.convert_tokens_to_ids(["<User>", "  "])
    (tokens, spaces) = tokenizer.tokenize(["the cat<User>the mat", "the  cat"])
    assert tokenizer.decode(tokens) == "the cat<User>the mat"
    assert marked[0] not in tokens
    assert marked[0] in tokenizer.tokenize_markup("<User>")
    assert marked[1] in spaces


def test_half_of_a_surrogate_pair_is_refused(bare: Any) -> None:
    half = r"texts\[1\]: contains half of a surrogate pair at character 2; remove it"
    with pytest.raises(InvalidInputError, match=half):
        Tokenizer(bare).tokenize(["fine", "no\ud800"])


def test_decode_is_the_inverse_of_tokenize(bare: Any) -> None:
    tokenizer = Tokenizer(bare)
    assert tokenizer.tokenize([]) == []
    (tokens,) = tokenizer.tokenize([" né  😀 ."])
    assert tokenizer.decode(tokens) == " né  😀 ."
    assert tokenizer.piece(tokenizer.tokenize_markup("<|im_end|>")[0]) == "<|im_end|>"
    assert tokenizer.piece(12_345) == "[12345]"
    assert tokenizer.around() == (tokenizer.tokenize_markup("<s>"), [])


def test_render_uses_the_chat_template(bare: Any) -> None:
    tokenizer = Tokenizer(bare)
    head = '<|im_start|>system\nBe brief. <|im_end|>\n<|im_start|>user\nPassage: "x" <|im_end|>\n'
    assert tokenizer.render([SYSTEM, USER]) == head + "<|im_start|>assistant\n"
    assert tokenizer.render([SYSTEM, USER, ANSWER]) == (
        head + '<|im_start|>assistant\n The word is: "'
    )
    spaced = Message("assistant", "ends in spaces:  \n ")
    assert tokenizer.render([USER, spaced]).endswith("ends in spaces:  \n ")
    with pytest.raises(InvalidInputError, match="at least one message"):
        tokenizer.render([])


def test_system_message_moves_into_the_user_message(bare: Any) -> None:
    bare.chat_template = NO_SYSTEM
    tokenizer = Tokenizer(bare)
    assert tokenizer.render([SYSTEM, USER]) == (
        '<s>[user]Be brief. \n\nPassage: "x"[end][assistant]'
    )
    # The template trims messages, but the assistant's message keeps the spaces at its end.
    answer = Message("assistant", " one: ")
    assert tokenizer.render([USER, answer]) == '<s>[user]Passage: "x"[end][assistant]one: '
    with pytest.raises(ConfigError, match=r"template: .*System role not supported"):
        tokenizer.render([SYSTEM])
    with pytest.raises(ConfigError, match=r"template: .*System role not supported"):
        tokenizer.render([SYSTEM, ANSWER])


def test_omitted_system_message_moves_into_the_user_message(bare: Any) -> None:
    bare.chat_template = (
        "{% for message in messages %}{% if message['role'] != 'system' %}"
        "[{{ message['content'] }}]{% endif %}{% endfor %}"
    )
    assert Tokenizer(bare).render([SYSTEM, USER]) == '[Be brief. \n\nPassage: "x" ]'


def test_template_that_changes_the_answer_is_refused(bare: Any) -> None:
    bare.chat_template = "{% for message in messages %}{{ message['content'] | upper }}{% endfor %}"
    with pytest.raises(ConfigError, match=r"template: .*changes the assistant's message"):
        Tokenizer(bare).render([USER, ANSWER])


@pytest.mark.parametrize("template", ["{{", "{{ messages[9].content }}", "{{ 1 / 0 }}"])
def test_failing_template_is_refused(bare: Any, template: str) -> None:
    bare.chat_template = template
    with pytest.raises(ConfigError, match=r"template: .*refuses the conversation"):
        Tokenizer(bare).render([USER])


def test_missing_template_is_refused(bare: Any) -> None:
    bare.chat_template = None
    with pytest.raises(ConfigError, match="template: the model has no chat template"):
        Tokenizer(bare).render([USER])


def test_slow_tokenizer_is_refused() -> None:
    with pytest.raises(ModelError, match="fast tokenizer"):
        Tokenizer(object())


def test_templates_use_a_fixed_date(bare: Any) -> None:
    bare.chat_template = "\n{{ strftime_now('%d %b %Y') }} " + bare.chat_template
    assert Tokenizer(bare).render([USER]).startswith("\n26 Jul 2024 <|im_start|>user")
