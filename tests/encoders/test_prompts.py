"""The exact wording of every prompt: a model's results depend on each character."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from twindex.core import ConfigError
from twindex.encoders import PromptRepsEncoderConfig
from twindex.encoders.promptreps.prompts import TEMPLATES, prompt
from twindex.llm import Message
from twindex.llm.fake import FakeModel

SYSTEM = "You are an AI assistant that can understand human language."
ONE = "Use one word to represent the {} in a retrieval task. Make sure your word is in lowercase."
THREE = (
    "Use three words to represent the {} in a retrieval task. "
    "Make sure your words are in lowercase and split them by space."
)

AROUND = {
    "llama3": (
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\n" + SYSTEM + "<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\n",
        "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
    ),
    "phi3": (
        "<s><|system|>\n" + SYSTEM + "<|end|>\n<|user|>\n",
        "<|end|>\n<|assistant|>\n",
    ),
    "mistral": ("<s>[INST] " + SYSTEM + " ", " [/INST]"),
    "chatml": (
        "<|im_start|>system\n" + SYSTEM + "<|im_end|>\n<|im_start|>user\n",
        "<|im_end|>\n<|im_start|>assistant\n",
    ),
    "plain": (SYSTEM + "\n", "\n"),
}
"""Template -> text before the user's turn, and text between the user's and the assistant's."""


class Model(FakeModel):
    """A model with a chat template (`user` is its user turn), without one, or with a mask token."""

    def __init__(self, user: str | None = None, mask: str | None = None) -> None:
        super().__init__()
        self._user = user
        self.mask = mask

    def render(self, messages: Sequence[Message]) -> str:
        if self._user is None:
            raise ConfigError("no chat template", field="template")
        text = "".join(
            self._user.format(m.content) if m.role == "user" else f"[{m.role}]{m.content}"
            for m in messages
        )
        return text if messages[-1].role == "assistant" else text + "[assistant]"


def parts(model: FakeModel, role: Any = "document", **options: Any) -> tuple[str, str]:
    """Return prefix and suffix of the prompt."""
    made = prompt(model, PromptRepsEncoderConfig.parse({"model": "fake", **options}), role)
    return made.prefix, made.suffix


@pytest.mark.parametrize("variant", ["single", "first_word", "multi_word_multi"])
@pytest.mark.parametrize("role", ["query", "document"])
@pytest.mark.parametrize("template", TEMPLATES)
def test_named_templates(template: str, role: str, variant: str) -> None:
    kind = "query" if role == "query" else "passage"
    question = (THREE if variant.startswith("multi") else ONE).format(kind)
    answer = "The words are" if variant.startswith("multi") else "The word is"
    before, between = AROUND[template]
    options = {"role": role, "template": template, "variant": variant}
    prefix, suffix = f'{before}{kind.capitalize()}: "', f'". {question}{between}{answer}'
    assert parts(FakeModel(), style="chat", **options) == (prefix, f'{suffix} "')
    literal = prefix.replace("\n", "\\n"), suffix.replace("\n", "\\n") + ': "'
    assert parts(FakeModel(), style="literal", **options) == literal
    assert "\n" not in "".join(literal)


def test_published_prompt() -> None:
    """The prompt for Llama 3 behind the published results."""
    assert parts(FakeModel(), style="literal", template="llama3") == (
        r"<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\n"
        "You are an AI assistant that can understand human language.<|eot_id|>"
        r'<|start_header_id|>user<|end_header_id|>\n\nPassage: "',
        '". Use one word to represent the passage in a retrieval task. '
        "Make sure your word is in lowercase.<|eot_id|>"
        r'<|start_header_id|>assistant<|end_header_id|>\n\nThe word is: "',
    )


def test_auto_uses_the_models_chat_template() -> None:
    prefix, suffix = parts(Model("[user]{}"), role="query")
    assert prefix == f'[system]{SYSTEM}[user]Query: "'
    assert suffix == f'". {ONE.format("query")}[assistant]The word is "'


@pytest.mark.parametrize(
    ("user", "family"),
    [
        ("<|start_header_id|>user<|end_header_id|>\n\n{}<|eot_id|>", "llama3"),
        ("<|user|>\n{}<|end|>\n", "phi3"),
        ("<s>[INST] {} [/INST]", "mistral"),
        ("<|im_start|>user\n{}<|im_end|>\n", "chatml"),
    ],
)
def test_family_is_detected_from_the_template(user: str, family: str) -> None:
    expected = parts(FakeModel(), style="literal", template=family)
    assert parts(Model(user), style="literal") == expected


@pytest.mark.parametrize("user", [None, "<|im_start|>user<|im_sep|>{}<|im_end|>", "{}"])
def test_unknown_family_is_rejected(user: str | None) -> None:
    with pytest.raises(ConfigError, match="llama3, phi3, mistral, chatml, plain") as error:
        parts(Model(user), style="literal")
    assert error.value.field == "template"


def test_model_without_chat_template_needs_a_named_one() -> None:
    with pytest.raises(ConfigError) as error:
        parts(Model(None))
    assert error.value.field == "template"
    assert parts(Model(None), template="plain")[0].endswith('Passage: "')


@pytest.mark.parametrize("user", ["{0}{0}", "nothing"])
def test_template_that_changes_the_text_is_rejected(user: str) -> None:
    with pytest.raises(ConfigError, match="must contain the text once and unchanged") as error:
        parts(Model(user))
    assert error.value.field == "template"


def test_prompts_of_a_masked_model() -> None:
    model = Model(mask="[MASK]")
    assert parts(model) == ('Passage: "', '". The word is: "[MASK]".')
    assert parts(model, role="query") == ('Query: "', '". The word is: "[MASK]".')


@pytest.mark.parametrize(
    ("field", "value"),
    [("variant", "first_word"), ("style", "literal"), ("template", "plain")],
)
def test_masked_model_rejects_other_options(field: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f'for a masked model, got "{value}"') as error:
        parts(Model(mask="[MASK]"), **{field: value})
    assert error.value.field == field
