"""Warnings for fields of a request that no document has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ...core.filters import OWN, Exists
from ...index import View


def unknown_fields(view: View, fields: Mapping[str, str]) -> Iterator[str]:
    """Yield a warning for each field that no document of the view has.

    fields: name of a metadata field -> the part of the request that names it.
    """
    for name, place in fields.items():
        if name not in OWN:
            for warning in view.warnings(Exists(name)):
                yield f"{place}: {warning.removeprefix('filter: ')}"
