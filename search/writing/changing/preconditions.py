"""Preconditions of a change: the state of the stored document that the caller expects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ....core import Document, InvalidInputError, PreconditionFailedError
from ....core.errors import any_of, shown

ANY = "*"
"""Stands for every stored document, in place of an entity tag."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What the stored document must be for a change, as in `If-Match` and `If-None-Match`.

    match:      entity tags (`Document.tag`), one of which the stored document must have. "*": any
                stored document. None: no condition.
    none_match: entity tags, none of which the stored document may have. "*": there must be no
                document with this id. None: no condition.
    """

    match: tuple[str, ...] | None = None
    none_match: tuple[str, ...] | None = None

    @property
    def empty(self) -> bool:
        """True if there is no condition."""
        return self.match is None and self.none_match is None

    def check(self, id: str, stored: Document | None) -> None:  # noqa: A002
        """Raise PreconditionFailedError if the stored document is not the expected one.

        stored: document with this id; None: there is none.
        """
        tag = None if stored is None else stored.tag
        if self.match is not None and not _among(tag, self.match):
            found = "there is none" if tag is None else f"its tag is {tag}"
            wanted = "any" if ANY in self.match else any_of(self.match or ("none",))
            raise PreconditionFailedError(
                f"document {shown(id)}: expected tag {wanted}, but {found}; read the document again"
            )
        if self.none_match is not None and _among(tag, self.none_match):
            raise PreconditionFailedError(
                f"document {shown(id)} is stored with the tag {tag}, which `if_none_match` "
                "excludes; read the document again"
            )


def _among(tag: str | None, tags: Sequence[str]) -> bool:
    return tag is not None and (ANY in tags or tag in tags)


def expected(if_match: object = None, if_none_match: object = None) -> Expected:
    """Return the preconditions that two arguments state: a tag, a list of tags, "*" or None.

    Raises InvalidInputError for another value.
    """
    return Expected(_tags(if_match, "if_match"), _tags(if_none_match, "if_none_match"))


def _tags(value: object, field: str) -> tuple[str, ...] | None:
    if value is None:
        return None
    found = (value,) if isinstance(value, str) else value
    if not isinstance(found, list | tuple) or not all(isinstance(one, str) for one in found):
        raise InvalidInputError(
            f'must be the `tag` of a document, a list of tags or "*", got {shown(value)}',
            field=field,
        )
    return tuple(found)
