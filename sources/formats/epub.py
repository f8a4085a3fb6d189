"""Reads EPUB books as Markdown: the chapters in reading order."""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

from .converted import Converted
from .html import decoded, html_text
from .limits import Limits
from .markdown_text import join, one_line
from .reasons import DAMAGED, EMPTY, ENCRYPTED, UnreadableError
from .zipped import check_zip

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_FONTS = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
"""Algorithms that encrypt only fonts. The text of a book with them can be read."""
_PAGES = ("application/xhtml+xml", "text/html")
_METADATA = {"creator": "author", "date": "created", "language": "language", "subject": "keywords"}


def read_epub(path: Path, limits: Limits) -> Converted:
    """Return the text of a book as Markdown.

    Raises UnreadableError if the book is damaged, has digital rights management or has no text.
    """
    check_zip(path, limits, _CONTAINER)
    with zipfile.ZipFile(path) as archive:
        if _is_encrypted(archive):
            message = "has digital rights management; use a copy without it"
            raise UnreadableError(ENCRYPTED, message)
        container = ElementTree.fromstring(archive.read(_CONTAINER))
        package = next((one for one in container.iter() if _name(one) == "rootfile"), None)
        root = "" if package is None else package.get("full-path", "")
        if root not in archive.namelist():
            raise UnreadableError(DAMAGED, "names no package file; create the book again")
        book = ElementTree.fromstring(archive.read(root))
        texts = [html_text(decoded(page)).text.strip() for page in _chapters(archive, book, root)]
    if not any(texts):
        raise UnreadableError(EMPTY, "has no text")
    title = ""
    metadata: dict[str, str] = {}
    for one in book.iter():
        if not one.tag.startswith("{http://purl.org/dc/"):
            continue
        if (text := one_line(one.text or "")[:1000]) and _name(one) == "title":
            title = title or text
        elif text and (name := _METADATA.get(_name(one))):
            metadata.setdefault(name, text)
    return Converted(join(texts) + "\n", title, metadata)


def _chapters(archive: zipfile.ZipFile, book: ElementTree.Element, root: str) -> Iterator[bytes]:
    """Yield the pages of a book in reading order. Raises UnreadableError if a page is missing."""
    items = {one.get("id"): one for one in book.iter() if _name(one) == "item"}
    names = set(archive.namelist())
    for reference in book.iter():
        if _name(reference) != "itemref":
            continue
        item = items.get(reference.get("idref"))
        if item is None or item.get("media-type") not in _PAGES:
            continue
        if "nav" in item.get("properties", "").split():  # The table of contents.
            continue
        name = posixpath.normpath(
            posixpath.join(posixpath.dirname(root), unquote(item.get("href", "")))
        )
        if name not in names:
            raise UnreadableError(DAMAGED, f"lacks its chapter {name}; create the book again")
        yield archive.read(name)


def _is_encrypted(archive: zipfile.ZipFile) -> bool:
    if _ENCRYPTION not in archive.namelist():
        return False
    found = ElementTree.fromstring(archive.read(_ENCRYPTION))
    methods = [one.get("Algorithm", "") for one in found.iter() if _name(one) == "EncryptionMethod"]
    return any(method not in _FONTS for method in methods)


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
