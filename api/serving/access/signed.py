"""Checks signed filters. `twindex.client.signing` describes the header."""

from __future__ import annotations

import base64
import binascii
import re
from hmac import compare_digest

import orjson

from ....client.signing import HEADER, LONGEST, signature
from ....core import InvalidInputError
from ....core.filters import Condition, parse_filter
from ..problems import Problem
from .key_file import Key

_HEADER = re.compile(r"v1\.(([0-9]{1,12})\.([A-Za-z0-9_-]{2,16000}))\.([A-Za-z0-9_-]{43})")
_CLOCK = 60.0
"""Number of seconds by which the clock of the application may be ahead."""


def condition_of(header: bytes | None, key: Key | None, now: float) -> Condition | None:
    """Return the condition of a signed filter; None if the request has none and needs none.

    header: value of the header; None without it.
    key:    key of the request; None for a request without a key of `twindex keys`.
    now:    seconds since 1970.

    Raises Problem 403 if the header is missing, wrong or expired, or if the key has no secret.
    """
    if header is None:
        if key is not None and key.signed == "required":
            raise Problem(403, f"this key requires the header {HEADER}, a signed filter")
        return None
    if key is None or key.signing is None or key.signed == "refused":
        # To ignore the header would show the request more than its sender wants.
        raise Problem(403, f"{HEADER} needs a key with a secret for signed filters")
    found = _HEADER.fullmatch(header.decode("latin-1"))
    given = "" if found is None else found[4]
    payload = "" if found is None else found[1]
    if not compare_digest(given, signature(payload, key.signing, key.id)) or found is None:
        raise Problem(403, f"the signature of {HEADER} is wrong")
    expiry = int(found[2])
    if expiry <= now:
        raise Problem(403, f"{HEADER} has expired; sign the filter again", code="filter_expired")
    if expiry > now + LONGEST + _CLOCK:
        raise Problem(403, f"{HEADER} may be valid for at most {LONGEST:g} seconds")
    try:
        text = base64.b64decode(found[3] + "=" * (-len(found[3]) % 4), b"-_", validate=True)
        condition: Condition | None = parse_filter(orjson.loads(text))
    except (binascii.Error, orjson.JSONDecodeError, InvalidInputError) as error:
        raise Problem(403, f"{HEADER} has no valid filter ({error})") from None
    if condition is None:
        raise Problem(403, f"{HEADER} has no filter")
    return condition
