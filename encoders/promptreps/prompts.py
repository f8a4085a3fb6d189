"""The prompts of PromptReps.

A prompt is a prefix, the text and a suffix. It ends with the quote that opens the model's answer,
so the next token is the first token of a word. The prompt for a passage, in one word:

    system:    You are an AI assistant that can understand human language.
    user:      Passage: "{text}". Use one word to represent the passage in a retrieval task. Make
               sure your word is in lowercase.
    assistant: The word is "

The two styles differ in details that change a model's results:

- "chat":    the prompt in the authors' README. It uses the model's chat template (or the configured
             `template`), and `The word is "`.
- "literal": the prompt files that the authors used for their published figures. Every line break
             of the template is the two characters backslash and n, and `The word is: "` has a
             colon.

A masked model has no chat template. Its prompt is `Passage: "{text}". The word is: "[MASK]".`
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...core import ConfigError, Role
from ...llm import Message, StateModel
from .config import PromptRepsEncoderConfig

SYSTEM = "You are an AI assistant that can understand human language."

THREE_WORDS = frozenset({"multi_token_single", "multi_token_multi", "multi_word_multi"})
"""Variants whose prompt asks for three words instead of one."""

TEMPLATES = {
    "llama3": (
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\n{system}<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\n{user}<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n{answer}"
    ),
    "phi3": "<s><|system|>\n{system}<|end|>\n<|user|>\n{user}<|end|>\n<|assistant|>\n{answer}",
    "mistral": "<s>[INST] {system} {user} [/INST]{answer}",
    "chatml": (
        "<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n{user}<|im_end|>\n"
        "<|im_start|>assistant\n{answer}"
    ),
    "plain": "{system}\n{user}\n{answer}",
}
"""Model family -> markup of a conversation. Qwen and SmolLM2 use "chatml"."""

_USER_TURNS = {
    "llama3": "<|start_header_id|>user<|end_header_id|>\n\n{user}<|eot_id|>",
    "phi3": "<|user|>\n{user}<|end|>",
    "mistral": "[INST] {user}",
    "chatml": "<|im_start|>user\n{user}<|im_end|>",
}
"""Model family -> a user's turn as its chat template renders it. Identifies a model's family."""

_TEXT = "\ue000"
"""Placeholder for the text while a conversation is rendered. A private-use character."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """The strings before and after a text. They may contain names of special tokens."""

    prefix: str
    suffix: str


def prompt(model: StateModel, config: PromptRepsEncoderConfig, role: Role) -> Prompt:
    """Return the prompt for texts with this role: queries or passages.

    Raises ConfigError (field `template`, `style` or `variant`) for options that the model does not
    support.
    """
    if model.mask is not None:
        return _masked(model.mask, config, role)
    user, answer = _wording(role, three=config.variant in THREE_WORDS)
    if config.style == "literal":
        family = _family(model) if config.template == "auto" else config.template
        whole = TEMPLATES[family].replace("\n", r"\n")
        whole = whole.format(system=SYSTEM, user=user, answer=f'{answer}: "')
    elif config.template == "auto":
        turns = [Message("system", SYSTEM), Message("user", user)]
        whole = model.render([*turns, Message("assistant", f'{answer} "')])
    else:
        whole = TEMPLATES[config.template].format(system=SYSTEM, user=user, answer=f'{answer} "')
    prefix, *suffixes = whole.split(_TEXT)
    if len(suffixes) != 1:
        raise ConfigError(
            "the model's chat template must contain the text once and unchanged: set another "
            f"`template`: {', '.join(TEMPLATES)}",
            field="template",
        )
    return Prompt(prefix, suffixes[0])


def check_markup(model: StateModel, config: PromptRepsEncoderConfig) -> None:
    """Raise ConfigError (field `template`) if the model has no tokens for the template's markup.

    Such a model would read the markup letter by letter.
    """
    for name in re.findall(r"<\|\w+\|>", TEMPLATES.get(config.template, "")):
        if len(model.tokenize_markup(name)) != 1:
            raise ConfigError(
                f"the model has no token {name}, which the template {config.template!r} requires: "
                "choose another template",
                field="template",
            )


def _wording(role: Role, *, three: bool) -> tuple[str, str]:
    """Return the user's turn with a placeholder for the text, and the answer's first words.

    three: True to ask for three words instead of one.
    """
    kind = "query" if role == "query" else "passage"
    user = f'{kind.capitalize()}: "{_TEXT}". '
    if three:
        user += (
            f"Use three words to represent the {kind} in a retrieval task. "
            "Make sure your words are in lowercase and split them by space."
        )
        return user, "The words are"
    user += (
        f"Use one word to represent the {kind} in a retrieval task. "
        "Make sure your word is in lowercase."
    )
    return user, "The word is"


def _masked(mask: str, config: PromptRepsEncoderConfig, role: Role) -> Prompt:
    if config.variant != "single":
        raise ConfigError(
            f'must be "single" for a masked model, got "{config.variant}"', field="variant"
        )
    if config.style != "chat":
        raise ConfigError(f'must be "chat" for a masked model, got "{config.style}"', field="style")
    if config.template != "auto":
        raise ConfigError(
            f'must be "auto" for a masked model, got "{config.template}"', field="template"
        )
    kind = "Query" if role == "query" else "Passage"
    return Prompt(f'{kind}: "', f'". The word is: "{mask}".')


def _family(model: StateModel) -> str:
    """Return the model family (a key of TEMPLATES) whose markup the chat template uses.

    Raises ConfigError (field `template`) if the chat template has the markup of no known family.
    """
    greeting = "Hello"
    try:
        rendered = model.render([Message("user", greeting)])
    except ConfigError:  # The model has no chat template.
        rendered = ""
    for family, turn in _USER_TURNS.items():
        if turn.format(user=greeting) in rendered:
            return family
    raise ConfigError(
        'style "literal" does not support the chat template of the model: set another '
        f"`template`: {', '.join(TEMPLATES)}",
        field="template",
    )
