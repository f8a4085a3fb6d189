"""Makes untrusted texts harmless before they become part of a prompt.

A passage may contain instructions for the model ("ignore the question ..."), markup of a chat
template, or characters that people cannot see. No rewriting makes a small model ignore
instructions. What this module ensures: a passage cannot end the block of sources, cannot open a
turn of its own, cannot contain a marker that looks like a citation, and contains no invisible text.

Random boundaries, neutral template markup and datamarking follow Hines et al., "Defending against
indirect prompt injection attacks with spotlighting" (2024).
"""

from __future__ import annotations

import re
import unicodedata
from secrets import token_hex

BOUNDARY_BYTES = 6
"""Random bytes of a boundary, so that a passage cannot guess it."""

_INVISIBLE = frozenset({"Cf", "Co", "Cs", "Cn"})
"""Unicode categories of characters without a glyph: format (zero width, bidirectional marks, tags),
private use, surrogates, unassigned."""

_JOINERS = frozenset("\u200c\u200d")
"""Joiners that Indic and Arabic words need between two letters. They are kept there."""

_MARKUP = re.compile(
    r"<\s*[|｜][^<>\n]{0,80}?[|｜]\s*>"  # <|im_end|>, <|eot_id|>, <｜User｜>
    r"|<<\s*/?\s*SYS\s*>>"  # Llama 2
    r"|\[\s*/?\s*INST\s*\]"
    r"|</?\s*(?:s|bos|eos|pad|unk|start_of_turn|end_of_turn|system|user|assistant|model|human"
    r"|think|tool_call|tool_response|function_calls?|im_start|im_end)\s*/?\s*>"
    r"|^[^\S\n]*#{1,6}[^\S\n]*(?:system|instructions?|user|human|assistant|response)[^\S\n]*:?"
    r"[^\S\n]*$",
    re.IGNORECASE | re.MULTILINE,
)
"""Markup of the chat templates of common model families."""

_ROLE = re.compile(
    r"^([^\S\n]{0,40})(system|user|human|assistant|model)([^\S\n]{0,8}):",
    re.IGNORECASE | re.MULTILINE,
)
"""A line that begins like a turn of a conversation, such as `Assistant:`."""

_MARKER = re.compile(r"[\[【]([^\[\]【】\n]{0,40}\d[^\[\]【】\n]{0,40})[\]】]")
"""Something that looks like a marker of a source, such as [1]."""

_BARS = str.maketrans({"<": "‹", ">": "›", "|": "¦", "｜": "¦", "[": "(", "]": ")", "#": "＃"})


def new_boundary() -> str:
    """Return a random line that separates sources from instructions, such as `=== 3f9a... ===`."""
    return f"=== {token_hex(BOUNDARY_BYTES)} ==="


def harmless(text: str, boundary: str = "") -> str:
    """Return a passage, title or question as it may become part of a prompt.

    - Invisible characters are removed.
    - Markup of chat templates keeps its words, but loses the characters that make it markup.
    - `Assistant:` at the start of a line becomes `Assistant -`.
    - `[1]` becomes `(1)`, so that no marker of the answer is copied from a passage.
    - The boundary of the prompt, if the text contains it, is removed.

    boundary: line that separates sources from instructions in the prompt.
    """
    text = visible(text)
    before = None
    while before != text:  # Removing one match may create another.
        before = text
        if boundary:
            text = text.replace(boundary, " ").replace(boundary.strip("= "), " ")
        text = _MARKUP.sub(lambda match: match.group().translate(_BARS), text)
        text = _MARKER.sub(r"(\1)", text)
    return _ROLE.sub(r"\1\2\3 -", text)


def visible(text: str) -> str:
    """Return a text without invisible characters.

    Line breaks and tabs stay. Other control characters become spaces. A zero-width joiner stays
    between two letters that are not Latin.
    """
    if text.isascii() and text.isprintable():
        return text
    kept = []
    for position, character in enumerate(text):
        if (
            character in "\n\t"
            or character.isprintable()
            or (character in _JOINERS and _joins(text, position))
        ):
            kept.append(character)
        elif unicodedata.category(character) not in _INVISIBLE:
            kept.append(" ")
    return "".join(kept)


def datamarked(text: str, mark: str = "ˆ") -> str:
    """Return a text with a mark in place of each space (datamarking).

    The prompt then explains that marked text is data. Large models follow instructions in marked
    text less often; small models also understand it less well.
    """
    return re.sub(r"\s+", mark, text.strip())


def _joins(text: str, position: int) -> bool:
    beside = text[position - 1 : position], text[position + 1 : position + 2]
    return all(one and not one.isascii() and unicodedata.category(one)[0] in "LM" for one in beside)
