"""Prompts of backgrounds. The version of the prompts is part of the key of every cached text.

The prompts follow Yu et al., "Generate rather than retrieve: large language models are strong
context generators" (GenRead, 2023), without the words "from Wikipedia", because the questions are
not only about Wikipedia.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from ...llm import Message
from ...llm.protocol import Prompt

VERSION = 1

Purpose = Literal["qa", "fact_check", "dialogue"]
"""What the question is. qa: a question. fact_check: a statement that is true or false. dialogue:
the last turn of a conversation."""

PROMPTS: Mapping[Purpose, str] = {
    "qa": "Provide a background document to answer the given question.\n\n{text}",
    "fact_check": "Provide a background document to support or refute the given statement.\n\n"
    "{text}",
    "dialogue": "Provide a background document to answer the last turn of the given "
    "conversation.\n\n{text}",
}


def prompt(
    purpose: Purpose, question: str, pairs: Sequence[tuple[str, str]] = (), *, chats: bool
) -> Prompt:
    """Return the prompt for a background document.

    purpose:  name of the prompt's wording in `PROMPTS`.
    question: the question that the document is about.
    pairs:    demonstrations, each a question and the document that answers it.
    chats:    True: the prompt is a conversation, in which each pair is two turns. False: the prompt
              is one text.
    """
    template = PROMPTS[purpose]
    asked = [template.format(text=text) for text, _ in pairs]
    last = template.format(text=question)
    documents = [document for _, document in pairs]
    if not chats:
        shown = [f"{one}\n\n{two}" for one, two in zip(asked, documents, strict=True)]
        return "\n\n\n\n".join([*shown, f"{last}\n\n"])
    turns = []
    for one, two in zip(asked, documents, strict=True):
        turns += [Message("user", one), Message("assistant", two)]
    return [*turns, Message("user", last)]
