"""Signs filters, by which a trusted application narrows a request to what its user may see.

The header `Twindex-Filter` has the form `v1.EXPIRY.FILTER.SIGNATURE`:

    EXPIRY     end of its validity, in whole seconds since 1970
    FILTER     the filter as JSON in UTF-8, in base64url without padding
    SIGNATURE  HMAC-SHA256 of `twindex-filter.v1.KEY.EXPIRY.FILTER` in base64url without padding

KEY is the id of the API key: the 12 characters after `tw_`. The key of the HMAC is the secret for
signed filters of the API key, in ASCII.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
import time
from collections.abc import Mapping
from typing import Any

from ..core.errors import InvalidInputError

HEADER = "Twindex-Filter"

LONGEST = 86_400.0
"""Maximum number of seconds for which a signed filter is valid."""

_ID = re.compile(r"(?:tw_)?([0-9a-f]{12})(?:_[A-Za-z0-9_-]{43})?")


def sign_filter(
    filter: Mapping[str, Any],  # noqa: A002
    secret: str,
    *,
    key: str,
    seconds: float = 60.0,
) -> str:
    """Return a signed filter, the value of the header `Twindex-Filter`.

    The service then combines the filter with that of the key: both apply. Anybody who reads the
    header can repeat it until it expires.

    filter:  filter on the documents of a request, as in searches.
    secret:  secret for signed filters, which `twindex keys create --signed-filter` prints.
    key:     the API key of the request, or its id.
    seconds: number of seconds for which the header is valid, at most a day.

    Raises InvalidInputError for an invalid argument.
    """
    found = _ID.fullmatch(key) if isinstance(key, str) else None
    if found is None:
        raise InvalidInputError("must be an API key of `twindex keys`, or its id", field="key")
    if not isinstance(secret, str) or not secret.isascii() or not secret:
        raise InvalidInputError("must be the secret for signed filters", field="secret")
    if not isinstance(seconds, int | float) or not 0 < seconds <= LONGEST:
        raise InvalidInputError(
            f"must be above 0 and at most {LONGEST:g}, got {seconds!r}", field="seconds"
        )
    try:
        text = json.dumps(filter, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"cannot be written as JSON ({error})", field="filter") from None
    expiry = int(time.time() + seconds)
    payload = f"{expiry}.{_encoded(text.encode())}"
    return f"v1.{payload}.{signature(payload, secret, found[1])}"


def signature(payload: str, secret: str, key_id: str) -> str:
    """Return the signature of `EXPIRY.FILTER`."""
    message = f"twindex-filter.v1.{key_id}.{payload}".encode()
    return _encoded(hmac.digest(secret.encode(), message, "sha256"))


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
