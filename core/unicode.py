"""What a Python string can hold and text cannot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from .errors import InvalidInputError


def check_unicode(texts: Sequence[str], start: int = 0) -> None:
    """Raise InvalidInputError for half a surrogate pair. The first text has the number `start`."""
    for number, text in enumerate(texts, start):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InvalidInputError(
                f"half a surrogate pair at character {error.start} is no text",
                field=f"texts[{number}]",
            ) from None


@contextmanager
def telling_unicode(texts: Sequence[str], start: int = 0) -> Iterator[None]:
    """Tokenizers refuse half a surrogate pair with a TypeError: inside, it is as `check_unicode`
    says it."""
    try:
        yield
    except TypeError:
        check_unicode(texts, start)
        raise


def checked_text(value: str, field: str) -> str:
    """The value, which can be stored. Raises InvalidInputError for half a surrogate pair."""
    try:
        value.encode()
    except UnicodeEncodeError:
        message = "contains half of a surrogate pair, which is not Unicode text"
        raise InvalidInputError(message, field=field) from None
    return value
