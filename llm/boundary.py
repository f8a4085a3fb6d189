"""Finds the boundary between a prompt and its continuation, in tokens.

The tokens of "a b" can differ from the tokens of "a" followed by those of " b". Models are trained
on the tokens of whole texts, so prompt and continuation are tokenised together. The tokens that
follow the prompt's tokens are the continuation. If one token contains characters of prompt
and continuation, the continuation is tokenised alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..core import InvalidInputError
from .protocol import Tokens


def divide(prompt: str, continuation: str) -> tuple[str, str]:
    """Move spaces from the end of a prompt to the start of its continuation, and return both.

    In most vocabularies a word and the space before it are one token. A prompt that consists only
    of spaces is not changed.
    """
    kept = prompt.rstrip(" ")
    return (kept, prompt[len(kept) :] + continuation) if kept else (prompt, continuation)


def following(prompt: Tokens, joint: Tokens) -> list[int] | None:
    """Return the tokens of the continuation of a prompt.

    prompt: tokens of the prompt alone.
    joint:  tokens of prompt and continuation, tokenised together.

    Returns None if `joint` does not begin with `prompt`, because one token contains characters of
    prompt and continuation.
    """
    if len(joint) > len(prompt) and list(joint[: len(prompt)]) == list(prompt):
        return list(joint[len(prompt) :])
    return None


def check(continuations: Sequence[str]) -> None:
    """Raise InvalidInputError for an empty continuation, or for one string instead of a list."""
    if isinstance(continuations, str):
        raise InvalidInputError("must be a list of strings, got a string", field="continuations")
    for number, continuation in enumerate(continuations):
        if not continuation:
            raise InvalidInputError("must not be empty", field=f"continuations[{number}]")


def check_tokens(tails: Sequence[Sequence[Tokens]]) -> None:
    """Raise InvalidInputError for a continuation without tokens.

    Some tokenizers drop characters, so a text that is not empty can have no tokens.

    tails: for each prompt, the tokens of each continuation.
    """
    for of_one in tails:
        for number, tail in enumerate(of_one):
            if not tail:
                raise InvalidInputError(
                    "has no tokens; use another text", field=f"continuations[{number}]"
                )
