"""Reads HTML as Markdown."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path

from .converted import Converted
from .limits import Limits
from .markdown_text import code, heading, item, join, one_line, paragraph, table
from .reasons import DAMAGED, EMPTY, UnreadableError

_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "body", "br", "caption", "center", "dd",
    "details", "dialog", "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer",
    "form", "header", "hr", "html", "legend", "main", "nav", "p", "section", "summary",
})  # fmt: skip
"""Elements that start and end a paragraph."""
_ENDING = frozenset({*_HEADINGS, "li", "td", "th", "tr"})
_LISTS = frozenset({"ul", "ol", "menu", "dir"})
_UNSEEN = frozenset({"script", "style"})
"""Elements whose content is never text."""
_SKIPPED = frozenset({
    "nav", "template", "svg", "iframe", "canvas", "audio", "video", "select", "datalist",
    "button", "noframes",
})  # fmt: skip
"""Elements whose content is not part of the document, if they are closed."""
_VOID = frozenset({
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param",
    "source", "track", "wbr",
})  # fmt: skip
_HEADER_LINKS = frozenset({"headerlink", "anchor-link", "anchorjs-link"})
_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.IGNORECASE)
_XML = re.compile(rb"<\?xml[^>]{0,100}?encoding\s*=\s*[\"']([\w.:-]{1,40})")
_HEAD = 4096
"""Number of bytes in which a page declares its charset."""
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ENDS = (
    ("<!--", re.compile(r"--\s*>")),
    ("<![", re.compile(r"\]\s*>")),
    ("<", re.compile(">")),
)
"""Starts of tags and comments, and the patterns of their ends."""
_MOST_SCANNED = 16 * 2**20
"""Maximum number of characters that are searched for the ends of tags that never end."""
_METADATA = {
    "author": "author",
    "dcterms.creator": "author",
    "dc.creator": "author",
    "date": "created",
    "dcterms.date": "created",
    "article:published_time": "created",
    "keywords": "keywords",
    "description": "description",
}


def read_html(path: Path, limits: Limits) -> Converted:
    """Return the text of a web page as Markdown.

    Headings, lists, tables and preformatted text keep their structure. Scripts, navigation and
    hidden elements are left out. If the page has a `<main>`, everything outside it is left out too.

    Raises UnreadableError for a page without text, and for bytes that are not text.
    """
    found = html_text(decoded(path.read_bytes()))
    if not found.text.strip():
        raise UnreadableError(EMPTY, "the page has no text")
    return found


def decoded(content: bytes) -> str:
    """Return the source of a page, decoded with the charset that the page declares.

    A page without a declaration is UTF-8, or else windows-1252, as in browsers.

    Raises UnreadableError for bytes that are invalid in the declared charset, and for an unknown
    charset.
    """
    head = content[:_HEAD]
    declared = _CHARSET.search(head) or _XML.search(head)
    charset = next((name for bom, name in _BOMS if content.startswith(bom)), None)
    if charset is None and declared is not None:
        charset = declared[1].decode()
        if charset.lower() in ("iso-8859-1", "latin1", "us-ascii", "ascii"):
            charset = "windows-1252"  # What browsers do.
        elif charset.lower().startswith(("utf-16", "utf16")):
            charset = "utf-8"  # The declaration itself was read byte by byte.
    try:
        name = codecs.lookup(charset or "utf-8").name
    except LookupError:
        message = f"declares the unknown charset {charset!r}; convert the file to UTF-8"
        raise UnreadableError(DAMAGED, message) from None
    if not name.startswith("utf-16") and b"\0" in content:
        raise UnreadableError(DAMAGED, "has NUL bytes, like binary data; convert it to UTF-8")
    try:
        return content.decode(name)
    except UnicodeDecodeError as error:
        if charset is None:
            return content.decode("windows-1252", errors="replace")
        line = content.count(b"\n", 0, error.start) + 1
        message = f"line {line} is not {charset} ({error.reason}); convert the file to UTF-8"
        raise UnreadableError(DAMAGED, message) from None


def html_text(source: str) -> Converted:
    """Return the text of an HTML page as Markdown, with the page's title and metadata."""
    parser = _parsed(source, hide=True)
    if parser.hidden is not None:  # The rest of the page would be lost.
        parser = _parsed(source, hide=False)
    return Converted(join(parser.seen()) + "\n", one_line(parser.title), parser.metadata)


def _parsed(source: str, *, hide: bool) -> _Parser:
    parser = _Parser(hide)
    parser.feed(_without_open_ends(source))
    parser.close()
    parser.end_block()
    parser.end_table()
    return parser


def _without_open_ends(source: str) -> str:
    """Return HTML in which `<` is escaped wherever it starts a tag or comment that never ends.

    Such a `<` is then read as text. Without the escapes, the parser of the standard library would
    search the rest of the page for the end of each tag or comment. A page of such tags would take
    hours.
    """
    for start, end in _ENDS:
        stop = max((found.end() for found in end.finditer(source)), default=0)
        source = source[:stop] + source[stop:].replace(start, f"&lt;{start[1:]}")
    return source


class _Parser(HTMLParser):
    """Collects the blocks of a page in one pass. Nested elements need no stack, except lists.

    hidden: name of the open element whose content is left out; None if there is none.
    """

    def __init__(self, hide: bool) -> None:
        super().__init__(convert_charrefs=True)
        self._title: list[str] = []
        self.metadata: dict[str, str] = {}
        self.hidden: str | None = None
        self._scanned = 0
        self._hide = hide
        self._hidden_depth = 0
        self._blocks: list[str] = []
        self._items: list[str] = []
        self._text: list[str] = []
        self._in_title = False
        self._level = 0
        self._pre = 0
        self._lists: list[int | None] = []
        self._marked = False
        self._table: list[list[list[str]]] | None = None
        self._main: tuple[str, int] | None = None
        self._main_depth = 0
        self._main_blocks: list[str] = []

    def check_for_whole_start_tag(self, i: int) -> int:
        """Return the end of the start tag at `i`; -1 if the tag does not end.

        Raises UnreadableError if all searches together read too much text for tags that do not
        end. A page may contain many such tags, for example if a closing quote is missing.
        """
        end = super().check_for_whole_start_tag(i)  # type: ignore[misc, unused-ignore]
        if end < 0:
            self._scanned += len(self.rawdata) - i
            if self._scanned > _MOST_SCANNED:
                message = "has tags that never end, as with a missing quote; save the page again"
                raise UnreadableError(DAMAGED, message)
        return int(end)

    @property
    def title(self) -> str:
        return "".join(self._title)

    def seen(self) -> list[str]:
        """Return the blocks of the page's `<main>`; without a `<main>`, all blocks."""
        self._end_items()
        return self._main_blocks or self._blocks

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self.hidden is not None:
            self._hidden_depth += tag == self.hidden
            return
        given = {name: value or "" for name, value in attrs}
        if tag not in _VOID and self._is_hidden(tag, given):
            if tag in _BLOCKS and not self._pre:
                self.end_block()
            self.hidden, self._hidden_depth = tag, 1
            return
        if self._main is not None:
            self._main_depth += tag == self._main[0]
        elif not self._main_blocks and (tag == "main" or given.get("role") == "main"):
            self.end_block()
            self._end_items()
            self._main, self._main_depth = (tag, len(self._blocks)), 1
        if tag == "title" and not self._title:
            self._in_title = True
        elif tag == "meta":
            self._meta(given)
        elif tag == "html" and given.get("lang"):
            self.metadata["language"] = one_line(given["lang"])[:40]
        elif tag == "br":
            self._text.append("\n")
        elif tag == "img":
            self._text.append(f" {given.get('alt', '')} ")
        else:
            self._start(tag)

    def _start(self, tag: str) -> None:
        if tag in _HEADINGS or tag == "pre":
            if not self._pre:
                self.end_block()
                self.end_table()  # A table with headings or code lays out the page.
            self._level = _HEADINGS.get(tag, 0)
            self._pre += tag == "pre"
        elif tag in _LISTS:
            self.end_block()
            self._lists.append(0 if tag == "ol" else None)
        elif tag == "li":
            self.end_block()
            self._marked = True
            if self._lists and self._lists[-1] is not None:
                self._lists[-1] += 1
        elif tag == "table":
            self.end_block()
            self.end_table()
            self._table = []
        elif tag in ("tr", "td", "th"):
            self.end_block()
            if self._table is not None:
                if tag == "tr" or not self._table:
                    self._table.append([])
                if tag != "tr":
                    self._table[-1].append([])
        elif tag in _BLOCKS and not self._pre:
            self.end_block()

    def handle_endtag(self, tag: str) -> None:
        if self.hidden is not None:
            self._hidden_depth -= tag == self.hidden
            if not self._hidden_depth:
                self.hidden = None
            return
        if tag == "title":
            self._in_title = False
        elif tag in _LISTS:
            self.end_block()
            self._marked = False
            if self._lists:
                self._lists.pop()
        elif tag == "pre" and self._pre:
            self.end_block()
            self._pre -= 1
        elif tag == "table":
            self.end_block()
            self.end_table()
        elif (tag in _ENDING or tag in _BLOCKS) and not self._pre:
            self.end_block()
            self._marked = self._marked and tag != "li"
        if self._main is not None and tag == self._main[0]:
            self._main_depth -= 1
            if not self._main_depth:
                self.end_block()
                self.end_table()
                self._end_items()
                self._main_blocks = self._blocks[self._main[1] :]
                self._main = None

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self._title.append(data)
        elif self.hidden is None:
            self._text.append(data)

    def end_block(self) -> None:
        """End the open paragraph, heading, item, cell or block of code, if there is one."""
        text = "".join(self._text)
        self._text.clear()
        level, self._level = self._level, 0
        if not text.strip():
            return
        if self._table is not None:
            self._add_to_cell(one_line(text))
        elif self._pre:
            self._add(code(text))
        elif level:
            self._add(heading(level, text))
        elif self._marked and self._lists:
            number = self._lists[-1]
            mark = "-" if number is None else f"{number}."
            self._items.append(item(text, len(self._lists) - 1, mark))
        else:
            self._add(paragraph(one_line(text)))
        self._marked = False

    def end_table(self) -> None:
        """End the open table, if there is one."""
        if self._table is not None:
            self._add(table([[" ".join(cell) for cell in row] for row in self._table]))
            self._table = None

    def _add(self, block: str) -> None:
        self._end_items()
        if block:
            self._blocks.append(block)

    def _end_items(self) -> None:
        """Join the collected list items into one block."""
        if self._items:
            self._blocks.append("\n".join(self._items))
            self._items.clear()

    def _add_to_cell(self, text: str) -> None:
        if self._table and self._table[-1]:
            self._table[-1][-1].append(text)
        else:  # A caption, or text that is in no cell.
            self._add(paragraph(text))

    def _is_hidden(self, tag: str, given: Mapping[str, str]) -> bool:
        if tag in _UNSEEN:
            return True
        return self._hide and (
            tag in _SKIPPED
            or given.get("role") == "navigation"
            or "hidden" in given
            or (tag == "a" and not _HEADER_LINKS.isdisjoint(given.get("class", "").split()))
        )

    def _meta(self, given: Mapping[str, str]) -> None:
        name = _METADATA.get((given.get("name") or given.get("property") or "").lower())
        value = one_line(given.get("content", ""))
        if name and value:
            self.metadata.setdefault(name, value[:1000])
