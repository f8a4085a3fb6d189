"""Turns faults of parts that other packages wrote into errors that name the part."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from ..core import UNGUARDED, Guard, ModelError, TwindexError

log = logging.getLogger(__name__)


@contextmanager
def faults_named(part: str, guard: Guard = UNGUARDED) -> Iterator[None]:
    """Raise a ModelError in place of an exception that the `with` block raises.

    part:  what fails, such as "generator 'mine'".
    guard: guard of the request that the part works for. If its limit was reached, its exception is
           raised.

    A TwindexError is raised unchanged. Any other exception is logged, and is the `__cause__` of the
    ModelError. The message has only its type, because a client may read the message.
    """
    try:
        yield
    except TwindexError:
        raise
    except Exception as error:
        guard.check()  # Raises, without a log, if the caller gave up.
        log.exception("%s failed", part)
        raise ModelError(f"{part} failed with {type(error).__name__}; see the log") from error
