"""Reasons why a file has no document, and the error that a reader raises with a reason."""

from __future__ import annotations

DAMAGED = "damaged"
ENCRYPTED = "encrypted"
EMPTY = "empty"
IMAGES = "images only"
TOO_LARGE = "too large"
LIMIT = "over a limit"
OTHER_KIND = "of another kind"
WRONG_SUFFIX = "with a wrong suffix"
EXTRA = "extra not installed"
LINK = "link"
RECORDS = "with records"
REPLACED = "replaced"


class UnreadableError(Exception):
    """A file, or the rest of it, cannot be read as a document.

    reason:  one of the constants of the module `reasons`, such as "damaged".
    message: what is wrong, and what the user can do.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(reason, message)
        self.reason = reason
        self.message = message
