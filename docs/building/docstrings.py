"""Convert docstrings to Markdown.

A docstring explains fields in lines such as

    limit:  hits to return.
    offset: hits to skip; further lines of the same field are indented.

Markdown would join these lines, so they become a list.
"""

from __future__ import annotations

import re
from inspect import cleandoc
from textwrap import dedent

from twindex.api.descriptions import FIELD

_FENCE = "```"


def as_markdown(docstring: str) -> str:
    """The docstring with its fields as a list and its indented blocks and doctests as code."""
    text: list[str] = []
    for block in re.split(r"\n[ \t]*\n", cleandoc(docstring)):
        lines = block.splitlines()
        if not lines:
            continue
        if lines[0].startswith(">>>"):
            text.append(_code(lines, "pycon"))
        elif all(line.startswith("    ") for line in lines):
            text.append(_code(dedent(block).splitlines(), "python"))
        else:
            text.append(_paragraph(lines))
    return "\n\n".join(text)


def escaped(text: str) -> str:
    """Escape the Markdown markup of a text, except in code between backticks."""
    parts = re.split(r"(`[^`]*`)", text)
    for place in range(0, len(parts), 2):
        plain = parts[place].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        parts[place] = re.sub(r"([*_\[\]])", r"\\\1", plain)
    return "".join(parts)


def cell(text: str) -> str:
    """A text as the cell of a Markdown table, on one line."""
    return escaped(" ".join(text.split())).replace("|", "\\|")


def table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table. The cells must be Markdown."""
    lines = [heads, ("---",) * len(heads), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _paragraph(lines: list[str]) -> str:
    text: list[str] = []
    inside = False
    described = [line for line in lines if FIELD.fullmatch(line) or line.startswith(" ")]
    if len(described) == 1 < len(lines):
        return "\n".join(lines)  # A sentence with a colon.
    for line in lines:
        matched = FIELD.fullmatch(line)
        if matched:
            names = ", ".join(f"`{name}`" for name in matched[1].split(", "))
            before = [""] if text and not inside else []
            text += [*before, f"- {names}: {matched[2]}"]
            inside = True
        elif inside and line.startswith(" "):
            text.append(f"  {line.strip()}")
        else:
            text += ["", line] if inside else [line]
            inside = False
    return "\n".join(text)


def _code(lines: list[str], language: str) -> str:
    shown = [re.sub(r"\s*# doctest:.*", "", line) for line in lines]
    return "\n".join([f"{_FENCE}{language}", *shown, _FENCE])
