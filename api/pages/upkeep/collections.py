"""The pages of all collections and of one collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from ....core import StorageError, TwindexError
from ....core.filters import BOOLEAN, NUMBER, STRING
from ...figures import counted
from ...serving.problems import Problem
from ...serving.served import Served, summary

_KINDS = {NUMBER: "number", STRING: "text", BOOLEAN: "true or false"}
_UNITS = ("bytes", "KB", "MB", "GB", "TB")


def size(count: float) -> str:
    """Return a number of bytes in words: "512 bytes", "1.2 MB"."""
    unit = 0
    while count >= 1_000 and unit < len(_UNITS) - 1:
        count, unit = count / 1_000, unit + 1
    return (
        f"{count:,.0f} {_UNITS[unit]}"
        if unit == 0 or count >= 100
        else f"{count:.1f} {_UNITS[unit]}"
    )


def page_of(name: str) -> str:
    """Return the address of the page of a collection."""
    return "collection?" + urlencode({"name": name})


def listed(found: Sequence[Served], aliases: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return what the page shows of each collection.

    aliases: alias -> collection.
    """
    return [
        {
            **summary(served),
            "link": page_of(served.name),
            "aliases": [alias for alias, name in aliases.items() if name == served.name],
            "bytes": _bytes(served),
        }
        for served in found
    ]


def _bytes(served: Served) -> str:
    if served.collection is None:
        return ""
    try:
        return size(sum(served.collection.info()["bytes"].values()))
    except (TwindexError, StorageError, Problem, KeyError):  # Deleted or damaged meanwhile.
        return ""


def shown(served: Served) -> dict[str, Any]:
    """Return what the page shows of one collection. Its `info` is None unless it is ready."""
    values: dict[str, Any] = {
        "name": served.name,
        "status": served.status,
        "trouble": served.problem,
        "raw": f"v1/collections/{quote(served.name, safe='')}",
        "search": "./?" + urlencode({"collection": served.name}),
        "browse": "documents?" + urlencode({"collection": served.name}),
        "add": "edit-document?" + urlencode({"collection": served.name}),
        "compare": "compare?" + urlencode({"collection": served.name}),
        "info": None,
    }
    if served.collection is None:
        return values
    opened, _ = served.ready()
    info = opened.info()
    delta = info.get("delta", {}).get("passages", 0)
    stored: Mapping[str, int] = info.get("bytes", {})
    facts = [
        ("Documents", f"{info['documents']:,}"),
        ("Passages", f"{info['passages']:,}"),
        ("Size on disk", size(sum(stored.values()))),
        ("Segments", f"{len(info.get('segments', [])):,}"),
        ("Passages not yet in a segment", f"{delta:,}"),
        ("Version", f"{info['generation']:,}"),
        ("Passages are cut by", _cut(info["cut"])),
    ]
    fields = opened.fields()
    return values | {
        "info": info,
        "facts": facts,
        "trouble": served.problem or info.get("maintenance_error"),
        "legs": [_leg(served, name, leg) for name, leg in info["legs"].items()],
        "segments": [
            {name: value for name, value in one.items() if isinstance(value, str | int | float)}
            for one in info.get("segments", [])
        ],
        "fields": [
            {
                "name": name,
                "kinds": " or ".join(_KINDS.get(kind, "other") for kind in sorted(kinds)),
                "browse": "./?" + urlencode({"collection": served.name, "facet": name}),
            }
            for name, kinds in fields.items()
        ],
    }


def _cut(cut: Mapping[str, Any]) -> str:
    if cut["unit"] == "none":
        return "nothing: each document is one passage"
    most = "as many as the encoders read" if cut["size"] is None else f"at most {cut['size']}"
    return f"{cut['unit']}, {most}, overlap {cut['overlap']}"


def _leg(served: Served, name: str, leg: Mapping[str, Any]) -> dict[str, Any]:
    vectors = leg.get("vectors") or {}
    storage = [str(vectors[part]) for part in ("index", "codec") if vectors.get(part)]
    return {
        "name": name,
        "kind": leg["kind"],
        "role": leg["role"],
        "encoder": served.encoders.get(name, ""),
        "storage": ", ".join(storage),
        "bytes": size(leg.get("bytes", 0)),
    }


def described(count: int) -> str:
    """Return a number of documents in words."""
    return counted(count, "document")
