"""The page of API keys and its form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.datastructures import QueryParams

from ...serving.access.access import SCOPES
from ...serving.access.granting import KeyRequest
from ...serving.problems import validate
from .. import conditions

_LIMITS = ("requests", "concurrent", "model_seconds")
BLANK: dict[str, Any] = {
    "name": "",
    "scopes": ["read"],
    "collections": "",
    "filter": "",
    "expires": "",
    "requests": "",
    "concurrent": "",
    "model_seconds": "",
    "signed_filter": "refused",
}
"""The form before a user fills it."""


def entered(given: QueryParams) -> dict[str, Any]:
    """Return the fields of the form as the user entered them."""
    plain = {name: given.get(name, "") for name in BLANK if name != "scopes"}
    return {**plain, "scopes": given.getlist("scopes")}


def request_of(fields: Mapping[str, Any]) -> KeyRequest:
    """Return the request for a new key. Raises Problem 422 for invalid fields."""
    collections = fields["collections"].replace(",", " ").split()
    given = {
        "name": fields["name"].strip(),
        "scopes": fields["scopes"],
        "collections": collections or None,
        "filter": conditions.parse(fields["filter"]),
        "expires": fields["expires"].strip() or None,
        "signed_filter": fields["signed_filter"] or "refused",
        **{name: fields[name].strip() or None for name in _LIMITS},
    }
    return validate(KeyRequest, given, texts=True)


def listed(described: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what the page shows of each key, valid ones first.

    described: the keys as `described` of `granting` returns them.
    """
    shown = [
        {
            **one,
            "collections": ", ".join(one["collections"]),
            "scopes": ", ".join(name for name in SCOPES if name in one["scopes"]),
            "filter": conditions.dumped(one["filter"]),
            "limits": [
                f"{one[name]:g} {words}"
                for name, words in zip(
                    _LIMITS, ("requests/min", "at once", "model s/min"), strict=True
                )
                if one[name] is not None
            ],
        }
        for one in described
    ]
    return sorted(shown, key=lambda one: one["state"] != "valid")
