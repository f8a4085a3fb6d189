"""Where a prompt ends and its continuation begins, in tokens.

Tokens of "a b" need not be those of "a" and then those of " b". A model has learnt the tokens of
whole texts, so prompt and continuation are tokenised together, and the continuation is what follows
the tokens of the prompt. Where the two grow together into one token there is no such boundary, and
the continuation's own tokens are used.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..core import InvalidInputError
from .protocol import Tokens


def divide(prompt: str, continuation: str) -> tuple[str, str]:
    """Move spaces at the end of a prompt to the continuation: in most vocabularies a word and the
    space before it are one token. A prompt of spaces only stays as it is."""
    kept = prompt.rstrip(" ")
    return (kept, prompt[len(kept) :] + continuation) if kept else (prompt, continuation)


def following(prompt: Tokens, joint: Tokens) -> list[int] | None:
    """The continuation's tokens, where `joint` are those of both; None if there is no boundary."""
    if len(joint) > len(prompt) and list(joint[: len(prompt)]) == list(prompt):
        return list(joint[len(prompt) :])
    return None


def check(continuations: Sequence[str]) -> None:
    """An empty continuation is an InvalidInputError, and so is a text in place of several."""
    if isinstance(continuations, str):
        raise InvalidInputError("give a list of texts", field="continuations")
    for number, continuation in enumerate(continuations):
        if not continuation:
            raise InvalidInputError("is empty", field=f"continuations[{number}]")


def check_tokens(tails: Sequence[Sequence[Tokens]]) -> None:
    """A continuation without tokens, which some tokenizers pass over, is an InvalidInputError."""
    for of_one in tails:
        for number, tail in enumerate(of_one):
            if not tail:
                raise InvalidInputError("has no tokens", field=f"continuations[{number}]")
