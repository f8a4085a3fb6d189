"""The prompts of PromptReps: what a language model is asked about a text.

A prompt is a prefix, the text and a suffix, and ends on the quote that opens the model's answer, so
that what comes next is the first token of a word. For a passage, in one word:

    system:    You are an AI assistant that can understand human language.
    user:      Passage: "{text}". Use one word to represent the passage in a retrieval task. Make
               sure your word is in lowercase.
    assistant: The word is "

Two styles differ in small things that change the results of a model:

- "chat":    as in the example in the authors' README: the model's chat template (or the named
             one), and `The word is "`.
- "literal": as in the prompt files with which the published figures were made: every line break of
             the template is the two characters backslash and n, and `The word is: "` has a colon.

A masked model has no conversations. It is asked `Passage: "{text}". The word is: "[MASK]".`
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...core import ConfigError, Role
from ...llm import Message, StateModel
from .config import PromptRepsEncoderConfig

SYSTEM = "You are an AI assistant that can understand human language."

THREE_WORDS = frozenset({"multi_token_single", "multi_token_multi", "multi_word_multi"})
"""Variants that ask for three words instead of one."""

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
"""Markup of a conversation by family; that of Qwen and SmolLM2 is "chatml"."""

_USER_TURNS = {
    "llama3": "<|start_header_id|>user<|end_header_id|>\n\n{user}<|eot_id|>",
    "phi3": "<|user|>\n{user}<|end|>",
    "mistral": "[INST] {user}",
    "chatml": "<|im_start|>user\n{user}<|im_end|>",
}
"""What a model's own template makes of a user's turn, by which its family is known."""

_TEXT = "\ue000"
"""Stands for the text while a conversation is rendered; a character for private use."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is put before and after a text; names of special tokens stand for these tokens."""

    prefix: str
    suffix: str


def prompt(model: StateModel, config: PromptRepsEncoderConfig, role: Role) -> Prompt:
    """The prompt for queries or for passages.

    Raises ConfigError (field `template`, `style` or `variant`) where the model cannot be asked so.
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
        raise ConfigError("the model's chat template changes the text", field="template")
    return Prompt(prefix, suffixes[0])


def check_markup(model: StateModel, config: PromptRepsEncoderConfig) -> None:
    """Raises ConfigError (field `template`) for a template whose markup means nothing to the model:
    it would be read letter by letter."""
    for name in re.findall(r"<\|\w+\|>", TEMPLATES.get(config.template, "")):
        if len(model.tokenize_markup(name)) != 1:
            raise ConfigError(
                f"the model has no token {name}: {config.template} is the template of others",
                field="template",
            )


def _wording(role: Role, *, three: bool) -> tuple[str, str]:
    """What the user says, and how the answer begins."""
    kind = "query" if role == "query" else "passage"
    said = f'{kind.capitalize()}: "{_TEXT}". '
    if three:
        said += (
            f"Use three words to represent the {kind} in a retrieval task. "
            "Make sure your words are in lowercase and split them by space."
        )
        return said, "The words are"
    said += (
        f"Use one word to represent the {kind} in a retrieval task. "
        "Make sure your word is in lowercase."
    )
    return said, "The word is"


def _masked(mask: str, config: PromptRepsEncoderConfig, role: Role) -> Prompt:
    if config.variant != "single":
        raise ConfigError('a masked model reads one token: "single" only', field="variant")
    if config.style != "chat":
        raise ConfigError(
            'a masked model has a prompt of its own: leave it at "chat"', field="style"
        )
    if config.template != "auto":
        raise ConfigError(
            'a masked model knows no conversations: leave it at "auto"', field="template"
        )
    kind = "Query" if role == "query" else "Passage"
    return Prompt(f'{kind}: "', f'". The word is: "{mask}".')


def _family(model: StateModel) -> str:
    """The family whose template the model's own resembles."""
    said = "Hello"
    try:
        rendered = model.render([Message("user", said)])
    except ConfigError:  # it has no template
        rendered = ""
    for family, turn in _USER_TURNS.items():
        if turn.format(user=said) in rendered:
            return family
    raise ConfigError(
        'style "literal" knows the templates of some families, and the model\'s is none of them; '
        f"name one: {', '.join(TEMPLATES)}",
        field="template",
    )
