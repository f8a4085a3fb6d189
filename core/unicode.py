"""Checks that strings are valid Unicode text: they contain no half of a surrogate pair."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from .errors import InvalidInputError


def is_unicode(text: str) -> bool:
    """Return True if a text contains no half of a surrogate pair."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def check_unicode(texts: Sequence[str], start: int = 0) -> None:
    """Raise InvalidInputError if a text contains half of a surrogate pair.

    start: position of the first text in the error message, if `texts` is part of a longer list.
    """
    for number, text in enumerate(texts, start):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InvalidInputError(
                f"contains half of a surrogate pair at character {error.start}; remove it",
                field=f"texts[{number}]",
            ) from None


@contextmanager
def unicode_errors(texts: Sequence[str], start: int = 0) -> Iterator[None]:
    """Turn a tokenizer's TypeError for half of a surrogate pair into an InvalidInputError.

    texts: texts that the `with` block tokenizes.
    start: as in `check_unicode`.

    If all texts are valid, the TypeError is raised unchanged.
    """
    try:
        yield
    except TypeError:
        check_unicode(texts, start)
        raise


def checked_text(value: str, field: str) -> str:
    """Return the value unchanged if it is valid Unicode text.

    Raises InvalidInputError if it contains half of a surrogate pair.
    """
    try:
        value.encode()
    except UnicodeEncodeError:
        message = "contains half of a surrogate pair, which is not Unicode text; remove it"
        raise InvalidInputError(message, field=field) from None
    return value
