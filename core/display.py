"""Formats search results for a terminal, a notebook or a table."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from .errors import MissingExtraError
from .types import Hit


def one_line(text: str, limit: int = 100) -> str:
    """Return the text on one line of at most `limit` characters.

    A longer text is cut and ends with "…". Control characters become "?", because a terminal would
    interpret them.
    """
    words = " ".join(text.split())
    words = "".join(character if character.isprintable() else "?" for character in words)
    return words if len(words) <= limit else words[: limit - 1].rstrip() + "…"


def printable(text: str) -> str:
    """Return a text of several lines with "?" instead of control characters.

    A terminal would interpret these. Line breaks and tabs stay; other white space becomes a space.
    """
    if text.isprintable():
        return text
    return "".join(
        character
        if character.isprintable() or character in "\n\t"
        else (" " if character.isspace() and character != "\r" else "?")
        for character in text.replace("\r\n", "\n")
    )


def score(hit: Hit) -> str:
    """Return a hit's score as text: four decimals, or four significant digits if it is >= 1e6."""
    return f"{hit.score:.4f}" if abs(hit.score) < 1e6 else f"{hit.score:.4g}"


def ranks(hit: Hit) -> str:
    """Return the hit's rank in each leg that returned it, such as `dense 2, lexical 1`."""
    return ", ".join(f"{leg} {place.rank}" for leg, place in hit.legs.items())


def place_of(hit: Hit) -> str:
    """Return the page and the headings of the best passage, such as `page 3, Setup > Linux`."""
    page = [] if hit.page is None else [f"page {hit.page}"]
    return ", ".join([*page, *([" > ".join(hit.headings)] if hit.headings else [])])


def as_lines(hits: Sequence[Hit]) -> list[str]:
    """Return a line for each hit: rank, id, score, rank in each leg, and title.

    A hit without a title shows the beginning of its best passage instead.
    """
    lines = []
    width = max((len(one_line(hit.id, 30)) for hit in hits), default=0)
    for number, hit in enumerate(hits, 1):
        shown = one_line(hit.title or hit.passage_text, 60)
        lines.append(
            f"{number:>4}  {one_line(hit.id, 30):{width}}  {score(hit)}  {ranks(hit)}  {shown}"
        )
    return [line.rstrip() for line in lines]


def as_html(hits: Sequence[Hit]) -> str:
    """Return the hits as an HTML table for notebooks. All text is escaped."""
    head = "".join(f"<th>{name}</th>" for name in ("", "id", "score", "legs", "title", "passage"))
    rows = "".join(
        "<tr>"
        + "".join(
            f"<td>{escape(cell)}</td>"
            for cell in (
                str(number),
                one_line(hit.id, 60),
                score(hit),
                ranks(hit),
                one_line(hit.title, 200),
                one_line(hit.passage_text, 200),
            )
        )
        + "</tr>"
        for number, hit in enumerate(hits, 1)
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def as_records(hits: Sequence[Hit]) -> list[dict[str, Any]]:
    """Return a dictionary for each hit, as a row of a table.

    Keys: `rank`, `id`, `score`, `title`, `text`, `passage`, `headings`, `page`, `metadata`, and
    `NAME_rank` and `NAME_score` for each leg, where NAME is the name of the leg. These two values
    are None if the leg did not return the hit.
    """
    legs = list(dict.fromkeys(leg for hit in hits for leg in hit.legs))
    records = []
    for number, hit in enumerate(hits, 1):
        record: dict[str, Any] = {
            "rank": number,
            "id": hit.id,
            "score": hit.score,
            "title": hit.title,
            "text": hit.text,
            "passage": hit.passage_text,
            "headings": list(hit.headings),
            "page": hit.page,
            "metadata": dict(hit.metadata),
        }
        for leg in legs:
            place = hit.legs.get(leg)
            record[f"{leg}_rank"] = None if place is None else place.rank
            record[f"{leg}_score"] = None if place is None else place.score
        records.append(record)
    return records


def as_frame(hits: Sequence[Hit]) -> Any:
    """Return the records of `as_records` as a pandas DataFrame.

    Raises MissingExtraError if pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError:
        raise MissingExtraError("pandas", "notebook") from None
    columns = list(as_records(hits[:1] or (Hit("", 0.0),))[0])
    return pd.DataFrame.from_records(as_records(hits), columns=None if hits else columns)
