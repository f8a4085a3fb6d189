"""Small files of every format, made by the libraries that people use."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

WORDS = "The kestrel hovers above the meadow"
"""A sentence that every sample file contains."""
EPUB_PARTS = {
    "mimetype": "application/epub+zip",
    "META-INF/container.xml": '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
    '<rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>',
    "OPS/book.opf": '<package xmlns="http://www.idpf.org/2007/opf" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata><dc:title>Birds</dc:title>'
    "<dc:creator>Ada Finch</dc:creator><dc:language>en</dc:language></metadata><manifest>"
    '<item id="b" href="two.xhtml" media-type="application/xhtml+xml"/>'
    '<item id="a" href="text/one%201.xhtml" media-type="application/xhtml+xml"/>'
    '<item id="n" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>'
    '</manifest><spine><itemref idref="n"/><itemref idref="a"/><itemref idref="b"/></spine>'
    "</package>",
    "OPS/nav.xhtml": "<html><body><h1>Contents</h1></body></html>",
    "OPS/text/one 1.xhtml": f"<html><body><h1>Falcons</h1><p>{WORDS}.</p></body></html>",
    "OPS/two.xhtml": "<html><body><h1>Owls</h1><p>They fly at night.</p></body></html>",
}


def pdf(
    pages: Sequence[str], *, title: str = "", bookmarks: Sequence[tuple[str, int]] = ()
) -> bytes:
    """Return a PDF. pages: lines of text of each page. bookmarks: (title, page from 0)."""
    from pypdf import PdfReader, PdfWriter

    objects = ["<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    for text in pages:
        shown = " ".join(f"({line}) Tj T*" for line in text.split("\n"))
        content = f"BT /F1 12 Tf 14 TL 72 720 Td {shown} ET" if text else ""
        objects.append(f"<< /Length {len(content)} >>\nstream\n{content}\nendstream")
    parent = len(objects) + len(pages) + 1
    objects += [
        f"<< /Type /Page /Parent {parent} 0 R /MediaBox [0 0 612 792] /Contents {number + 2} "
        "0 R /Resources << /Font << /F1 1 0 R >> >> >>"
        for number in range(len(pages))
    ]
    kids = " ".join(f"{len(pages) + 2 + number} 0 R" for number in range(len(pages)))
    objects.append(f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>")
    objects.append(f"<< /Type /Catalog /Pages {parent} 0 R >>")
    body, offsets = "%PDF-1.4\n", []
    for number, value in enumerate(objects, start=1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{value}\nendobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    body += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
    body += f"trailer\n<< /Size {len(objects) + 1} /Root {len(objects)} 0 R >>\n"
    body += f"startxref\n{body.index('xref')}\n%%EOF\n"
    if not title and not bookmarks:
        return body.encode()
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(body.encode())))
    writer.add_metadata({"/Title": title, "/Author": "Ada", "/CreationDate": "D:20240131120000Z"})
    for name, page in bookmarks:
        writer.add_outline_item(title=name, page_number=page)
    return written(writer)


def written(writer: Any) -> bytes:
    """Return what an object with `write` or `save` writes."""
    buffer = io.BytesIO()
    (writer.write if hasattr(writer, "write") else writer.save)(buffer)
    return buffer.getvalue()


def encrypted_pdf() -> bytes:
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf([WORDS]))))
    writer.encrypt("secret", algorithm="RC4-128")
    return written(writer)


def image_pdf() -> bytes:
    """Return a PDF with an image and no text, like a scan."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("L", (64, 64), 128).save(buffer, "PDF")
    return buffer.getvalue()


def word() -> bytes:
    from docx import Document

    document = Document()
    document.core_properties.title, document.core_properties.author = "Birds of prey", "Ada"
    document.add_heading("Falcons", 1)
    document.add_paragraph(f"{WORDS}.")
    document.add_paragraph("# not a heading")
    document.add_heading("Sizes", 2)
    document.add_paragraph("small", style="List Bullet")
    document.add_paragraph("large", style="List Bullet")
    table = document.add_table(rows=2, cols=2)
    for row, cells in zip(table.rows, (("bird", "cm"), ("kestrel", "34")), strict=True):
        for cell, text in zip(row.cells, cells, strict=True):
            cell.text = text
    return written(document)


def slides() -> bytes:
    from pptx import Presentation

    show = Presentation()
    first = show.slides.add_slide(show.slide_layouts[1])
    first.shapes.title.text = "Falcons"
    first.placeholders[1].text = f"{WORDS}\nIt is small"
    second = show.slides.add_slide(show.slide_layouts[5])
    second.shapes.title.text = "Sizes"
    shape = second.shapes.add_table(2, 2, 0, 0, 914400, 914400)
    for row, cells in zip(shape.table.rows, (("bird", "cm"), ("kestrel", "34")), strict=True):
        for cell, text in zip(row.cells, cells, strict=True):
            cell.text = text
    second.notes_slide.notes_text_frame.text = "Say this."
    return written(show)


def sheets() -> bytes:
    from openpyxl import Workbook

    book = Workbook()
    book.active.title = "Sizes"
    for row in (("bird", "cm"), (WORDS, 34.0), (), ("owl", 22.5)):
        book.active.append(row)
    hidden = book.create_sheet("Secret")
    hidden.append(["hidden"])
    hidden.sheet_state = "hidden"
    return written(book)


def zipped(parts: Mapping[str, str | bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred(parts: Mapping[str, bytes], mode: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in parts.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def epub() -> bytes:
    return zipped(EPUB_PARTS)


def notebook(cells: Iterable[tuple[str, str]]) -> bytes:
    """Return a notebook. cells: (type, source) of each cell. Code cells have an output."""
    made = [
        {"cell_type": kind, "source": source.splitlines(keepends=True), "metadata": {}}
        | ({"outputs": [{"text": "an output"}]} if kind == "code" else {})
        for kind, source in cells
    ]
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4}).encode()


_ODF = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for name in ("office", "text", "table", "style", "draw", "presentation", "meta")
)
ODF_META = (
    f'<office:document-meta {_ODF} xmlns:dc="http://purl.org/dc/elements/1.1/"><office:meta>'
    "<dc:title>Birds</dc:title><dc:creator>Ada Finch</dc:creator></office:meta>"
    "</office:document-meta>"
)


def opendocument(body: str, styles: str = "", **parts: str) -> bytes:
    """Return an OpenDocument file. body: content of office:body."""
    content = (
        f"<office:document-content {_ODF}><office:automatic-styles>{styles}"
        f"</office:automatic-styles><office:body>{body}</office:body></office:document-content>"
    )
    return zipped({"content.xml": content, "meta.xml": ODF_META, **parts})


def odf_text(body: str) -> bytes:
    return opendocument(f"<office:text>{body}</office:text>")


def every() -> dict[str, bytes]:
    """Return name -> content of a small file of every format that is not plain text."""
    page = f"<!doctype html><title>Birds</title><h1>Falcons</h1><p>{WORDS}.".encode()
    return {
        "a.html": page,
        "a.pdf": pdf([f"Falcons\n{WORDS}"]),
        "a.docx": word(),
        "a.pptx": slides(),
        "a.xlsx": sheets(),
        "a.epub": epub(),
        "a.odt": odf_text(f"<text:h>Falcons</text:h><text:p>{WORDS}.</text:p>"),
        "a.ipynb": notebook([("markdown", "# Falcons"), ("code", f"print('{WORDS}')")]),
        "a.zip": zipped({"x/a.html": page, "x/b.md": "# B\n"}),
        "a.tar.gz": tarred({"x/a.html": page}),
        "a.html.gz": gzip.compress(page),
    }


def write(folder: Path, files: Mapping[str, bytes | str]) -> Path:
    """Write files into a folder, and return it."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder
