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
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from secrets import token_hex

_CONTROLS = dict.fromkeys({*range(32), 127} - {9, 10}, " ")
"""ASCII characters without a glyph, except tab and line break, mapped to a space."""

BOUNDARY_BYTES = 6
"""Number of random bytes in a boundary. With them, no author of a passage can guess a boundary."""

_INVISIBLE = frozenset({"Cf", "Co", "Cs", "Cn"})
"""Unicode categories of characters without a glyph: format (zero width, bidirectional marks, tags),
private use, surrogates, unassigned."""

_JOINERS = frozenset("\u200c\u200d")
"""Zero-width joiners. Indic and Arabic words need them between two letters, where they are kept."""

_LT, _GT, _BAR = "[<＜﹤]", "[>＞﹥]", "[|｜￨∣❘]"
"""Characters that look like those of markup. Some tokenizers turn them into ASCII."""

_S = r"[^\S\n]{0,20}"

_ROLES = "system|instructions?|user|human|assistant|model|response|input|output|developer|tool"

_TOKEN = (
    rf"{_LT}\s{{0,20}}{_BAR}[^<>\n]{{0,80}}?(?:{_BAR}\s{{0,20}})?{_GT}"  # <|im_end|>, <｜User｜>
    rf"|{_LT}[^<>\n]{{0,80}}?{_BAR}\s{{0,20}}{_GT}"
    rf"|{_LT}{{2}}{_S}/?{_S}SYS{_S}{_GT}{{2}}"  # Llama 2
    rf"|\[{_S}/?{_S}(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|IMG|CLS|SEP|PAD"
    rf"|UNK|BOS|EOS|g?MASK){_S}\]"
    rf"|\[{_S}{_BAR}[^\[\]\n]{{0,80}}?{_BAR}{_S}\]"  # [|user|]
    rf"|{_LT}{_S}/?{_S}(?:s|bos|eos|pad|unk|mask|sop|eop|start_of_\w{{1,20}}|end_of_\w{{1,20}}|system"
    rf"|user|assistant|model|human|think(?:ing)?|tool_\w{{1,20}}|tools?|function_calls?|im_\w{{1,20}}"
    rf"|extra_id_\d{{1,4}}|reserved_\d{{1,4}}|seed:\w{{1,20}}|0x[0-9A-F]{{2}}){_S}/?{_S}{_GT}"
)
_TOKENS = re.compile(_TOKEN, re.IGNORECASE)
"""Tokens of the chat templates of common model families."""

_MARKUP = re.compile(
    rf"{_TOKEN}|^{_S}#{{1,6}}{_S}(?:{_ROLES}){_S}:?{_S}$", re.IGNORECASE | re.MULTILINE
)
"""Tokens, and lines that are headings of turns."""

_BEGUN = re.compile(rf"(?:{_LT}[^>＞﹥]{{0,170}}{_GT}?|\[[^\]]{{0,130}})\Z")
"""The end of a text that may be the start of a token."""

_ROLE = re.compile(
    rf"^((?:[^\S\n]|[*_>#-]){{0,20}})({_ROLES})([*_]{{0,3}})({_S})[:：]",
    re.IGNORECASE | re.MULTILINE,
)
"""A line that begins like a turn of a conversation, such as `Assistant:`."""

_MARKER = re.compile(
    r"[\[【［]{1,9}([^\[\]【】［］\n]{0,250}\d[^\[\]【】［］\n]{0,250})[\]】］]{1,9}"
)
"""Something that looks like a marker of a source, such as [1]."""

_BARS = str.maketrans(
    {
        **dict.fromkeys("<＜﹤", "‹"),
        **dict.fromkeys(">＞﹥", "›"),
        **dict.fromkeys("|｜￨∣❘", "¦"),
        "[": "(",
        "]": ")",
        "#": "＃",
    }
)

_UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Characters that have no glyph, although their category is that of letters, marks or symbols."""

_SELECTORS = re.compile("[\ufe00-\ufe0f]{2,}|[\U000e0100-\U000e01ef]+")
"""Selectors of a variant of the character before them. Runs of them can hide a text."""


_SAME: ContextVar[str | None] = ContextVar("twindex_boundary", default=None)


def new_boundary() -> str:
    """Return a random line that separates sources from instructions, such as `=== 3f9a... ===`."""
    return _SAME.get() or f"=== {token_hex(BOUNDARY_BYTES)} ==="


@contextmanager
def same_boundary() -> Iterator[None]:
    """Give all prompts of a `with` block the same boundary, so that an evaluation can be repeated.

    A small model may answer otherwise after another boundary. Passages of others could contain a
    boundary that is known, so only evaluations use this function.
    """
    token = _SAME.set(f"=== {'7f3a9c0e5b1d' * BOUNDARY_BYTES:.{2 * BOUNDARY_BYTES}} ===")
    try:
        yield
    finally:
        _SAME.reset(token)


def harmless(text: str, boundary: str = "") -> str:
    """Return a passage, title or question in a form that is safe in a prompt.

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
    return _ROLE.sub(r"\1\2\3\4 -", text)


class WrittenText:
    """Makes tokens of chat templates harmless in a text that a model writes piece by piece.

    A passage may tell the model to write such a token. A program that puts the answer into another
    prompt would then begin a turn. The text keeps its words, and its length.
    """

    def __init__(self) -> None:
        self._held = ""

    def feed(self, piece: str) -> str:
        """Return the text that is complete now. The start of a token is held back."""
        text = _without_tokens(self._held + piece)
        begun = _BEGUN.search(text)
        end = len(text) if begun is None else begun.start()
        self._held = text[end:]
        return text[:end]

    def close(self) -> str:
        """Return the rest of the text."""
        rest, self._held = self._held, ""
        return rest


def _without_tokens(text: str) -> str:
    before = None
    while before != text:  # Replacing one token may complete another.
        before = text
        text = _TOKENS.sub(lambda match: match.group().translate(_BARS), text)
    return text


def visible(text: str) -> str:
    """Return a text without invisible characters.

    Line breaks and tabs stay. Other control characters become spaces. A zero-width joiner stays
    between two letters outside ASCII, because some scripts require joiners.
    """
    if text.isascii():
        plain = text.replace("\n", "").replace("\t", "").isprintable()
        return text if plain else text.translate(_CONTROLS)
    text = _SELECTORS.sub("", text)
    doubtful = {one for one in set(text) if one in _UNSEEN or not one.isprintable()} - set("\n\t")
    if not doubtful:
        return text
    changed = {
        one: "" if one in _UNSEEN or unicodedata.category(one) in _INVISIBLE else " "
        for one in doubtful
    }
    return "".join(
        one if one not in changed or (one in _JOINERS and _joins(text, at)) else changed[one]
        for at, one in enumerate(text)
    )


def datamarked(text: str, mark: str = "ˆ") -> str:
    """Return a text with a mark in place of each space (datamarking).

    A prompt with such a text explains that marked text is data. Large models follow instructions in
    marked text less often. Small models also understand marked text less well.
    """
    return re.sub(r"\s+", mark, text.strip())


def _joins(text: str, position: int) -> bool:
    beside = text[position - 1 : position], text[position + 1 : position + 2]
    return all(one and not one.isascii() and unicodedata.category(one)[0] in "LM" for one in beside)
