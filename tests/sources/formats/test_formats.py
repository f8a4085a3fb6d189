"""Each format becomes Markdown with its structure, title and metadata."""

from __future__ import annotations

import gzip
import io
import json
import os
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from twindex.core import InvalidInputError, SourceError
from twindex.sources import Format, read_documents, register_format
from twindex.sources.formats.kinds import format_of, kind_of
from twindex.sources.formats.pdf import pdf_date
from twindex.sources.formats.word import _FALLBACK, _W

from . import samples


def test_every_format_gives_the_same_sentence(tmp_path: Path, read: Callable) -> None:
    samples.write(tmp_path, samples.every())
    found, errors = read()
    assert not errors
    ids = {*samples.every(), "a.zip/x/a.html", "a.zip/x/b.md", "a.tar.gz/x/a.html"}
    assert set(found) == ids - {"a.zip", "a.tar.gz"}
    for name, document in found.items():
        assert samples.WORDS in document.text or name == "a.zip/x/b.md"
        assert document.metadata["path"] == name


def test_metadata_of_a_file(tmp_path: Path, read: Callable) -> None:
    samples.write(
        tmp_path, {"a/b.md": "---\ntype: post\nyear: 2020\n---\n# T\n", "c.py": "x = 1\n"}
    )
    moment = datetime(2024, 2, 29, 12, 30, 5, tzinfo=UTC).timestamp()
    os.utime(tmp_path / "c.py", (moment, moment))
    found, _ = read()
    assert found["c.py"].title == "c.py"
    modified = "2024-02-29T12:30:05Z"
    assert found["c.py"].metadata == {"path": "c.py", "type": "text/x-python", "modified": modified}
    assert found["a/b.md"].metadata["type"] == "post"  # Front matter wins.
    assert found["a/b.md"].metadata["year"] == 2020
    assert found["a/b.md"].metadata["path"] == "a/b.md"


def test_word_keeps_headings_lists_and_tables(tmp_path: Path, read: Callable) -> None:
    samples.write(tmp_path, {"a.docx": samples.word()})
    document = read()[0]["a.docx"]
    assert document.title == "Birds of prey"
    assert document.metadata["author"] == "Ada"
    assert document.text == (
        f"# Falcons\n\n{samples.WORDS}.\n\n\\# not a heading\n\n## Sizes\n\n- small\n\n- large\n\n"
        "| bird | cm |\n|---|---|\n| kestrel | 34 |\n"
    )


def test_word_reads_tracked_changes_content_controls_and_pages(
    tmp_path: Path, read: Callable
) -> None:
    from docx import Document
    from docx.oxml import parse_xml

    ns = f'xmlns:w="{_W[1:-1]}"'
    run = "<w:r><w:t>{}</w:t></w:r>"
    document = Document()
    body = document.element.body
    for xml in (
        f"<w:p {ns}>{run.format('kept ')}<w:ins>{run.format('inserted')}</w:ins>"
        "<w:del><w:r><w:delText>deleted</w:delText></w:r></w:del></w:p>",
        f"<w:sdt {ns}><w:sdtContent><w:p>{run.format('controlled')}</w:p></w:sdtContent></w:sdt>",
        f"<w:p {ns}><w:r><w:lastRenderedPageBreak/><w:t>second page</w:t></w:r></w:p>",
    ):
        body.insert(len(body) - 1, parse_xml(xml))
    samples.write(tmp_path, {"a.docx": samples.written(document)})
    found = read()[0]["a.docx"]
    assert found.text == "kept inserted\n\ncontrolled\n\fsecond page\n"
    assert found.metadata["pages"] == 2


def test_word_reads_footnotes_and_text_boxes_once(tmp_path: Path, read: Callable) -> None:
    ns = f'xmlns:w="{_W[1:-1]}" xmlns:mc="{_FALLBACK[1:].partition("}")[0]}"'
    box = "<w:r><w:txbxContent><w:p><w:r><w:t>boxed</w:t></w:r></w:p></w:txbxContent></w:r>"
    with zipfile.ZipFile(io.BytesIO(samples.word())) as archive:
        names = [name for name in archive.namelist() if not name.endswith(".jpeg")]
        parts = {name: archive.read(name).decode() for name in names}
    parts["word/footnotes.xml"] = (
        f'<w:footnotes {ns}><w:footnote w:type="separator"><w:p><w:r><w:t>-</w:t></w:r></w:p>'
        "</w:footnote><w:footnote><w:p><w:r><w:t>a note</w:t></w:r></w:p></w:footnote>"
        "</w:footnotes>"
    )
    kind = "officeDocument/2006/relationships/footnotes"
    parts["word/_rels/document.xml.rels"] = parts["word/_rels/document.xml.rels"].replace(
        "</Relationships>",
        f'<Relationship Id="rIdN" Type="http://schemas.openxmlformats.org/{kind}" '
        'Target="footnotes.xml"/></Relationships>',
    )
    parts["[Content_Types].xml"] = parts["[Content_Types].xml"].replace(
        "</Types>",
        '<Override PartName="/word/footnotes.xml" ContentType="application/vnd.openxmlformats-'
        'officedocument.wordprocessingml.footnotes+xml"/></Types>',
    )
    choice = f"<mc:Choice Requires='wps'>{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback>"
    parts["word/document.xml"] = f"""<w:document {ns}><w:body><w:p><w:r><w:t>body</w:t></w:r><w:r>
        <mc:AlternateContent>{choice}</mc:AlternateContent></w:r></w:p></w:body></w:document>"""
    picture = {"docProps/thumbnail.jpeg": b"JPEG"}
    samples.write(tmp_path, {"a.docx": samples.zipped({**parts, **picture})})
    found, errors = read()
    assert not errors
    assert found["a.docx"].text == "body\n\nboxed\n\na note\n"


def test_slides_are_pages_with_tables_and_notes(tmp_path: Path, read: Callable) -> None:
    samples.write(tmp_path, {"a.pptx": samples.slides()})
    document = read()[0]["a.pptx"]
    first, second = document.text.split("\f")
    assert first == f"# Falcons\n\n- {samples.WORDS}\n- It is small\n"
    assert second == "# Sizes\n\n| bird | cm |\n|---|---|\n| kestrel | 34 |\n\nSay this.\n"
    assert (document.title, document.metadata["pages"]) == ("Falcons", 2)


def test_visible_sheets_become_tables(tmp_path: Path, read: Callable) -> None:
    samples.write(tmp_path, {"sizes.xlsx": samples.sheets()})
    document = read()[0]["sizes.xlsx"]
    rows = f"| bird | cm |\n|---|---|\n| {samples.WORDS} | 34 |\n| owl | 22.5 |\n"
    assert (document.title, document.text) == ("sizes", f"## Sizes\n\n{rows}")


def test_an_open_document_keeps_headings_lists_tables_and_notes(
    tmp_path: Path, read: Callable
) -> None:
    body = (
        "<text:tracked-changes><text:p>deleted</text:p></text:tracked-changes>"
        '<text:h text:outline-level="2">Fal<text:s text:c="2"/>cons</text:h>'
        "<text:p>A<text:tab/>B<text:span> bold</text:span><text:note><text:note-citation>1"
        "</text:note-citation><text:note-body><text:p>see C</text:p></text:note-body></text:note>."
        "</text:p><text:list><text:list-item><text:p>one</text:p><text:list><text:list-item>"
        "<text:p>two</text:p></text:list-item></text:list></text:list-item></text:list>"
        '<table:table table:name="T"><table:table-row><table:table-cell><text:p>a</text:p>'
        '</table:table-cell><table:table-cell table:number-columns-repeated="2"><text:p>b</text:p>'
        "</table:table-cell></table:table-row></table:table>"
        "<text:section><text:p># last<office:annotation><text:p>comment</text:p>"
        "</office:annotation></text:p></text:section>"
    )
    samples.write(tmp_path, {"a.odt": samples.odf_text(body)})
    document = read()[0]["a.odt"]
    assert document.text == (
        "## Fal cons\n\nA\tB bold (see C).\n\n- one\n  - two\n\n| a | b | b |\n|---|---|---|\n\n"
        "\\# last\n"
    )
    assert (document.title, document.metadata["author"]) == ("Birds", "Ada Finch")


def test_sheets_and_slides_of_open_documents(tmp_path: Path, read: Callable) -> None:
    style = (
        '<style:style style:name="hid"><style:table-properties table:display="false"/>'
        "</style:style>"
    )
    cell = "<table:table-cell><text:p>{}</text:p></table:table-cell>"
    empty = (
        '<table:table-row table:number-rows-repeated="1048576"><table:table-cell '
        'table:number-columns-repeated="16384"/></table:table-row>'
    )
    sheet = (
        '<table:table table:name="{}" table:style-name="{}"><table:table-row>{}'
        '<table:table-cell/>{}<table:table-cell table:number-columns-repeated="16000"/>'
        "</table:table-row>{}</table:table>"
    )
    sheets = [
        sheet.format(name, styled, cell.format(name), cell.format("x"), empty)
        for name, styled in (("Seen", ""), ("Hidden", "hid"))
    ]
    slide = (
        '<draw:page><draw:frame presentation:class="title"><draw:text-box><text:p>{}</text:p>'
        "</draw:text-box></draw:frame><draw:frame><draw:text-box><text:p>text</text:p>"
        "</draw:text-box></draw:frame><presentation:notes><draw:frame><draw:text-box>"
        "<text:p>said</text:p></draw:text-box></draw:frame></presentation:notes></draw:page>"
    )
    deck = "".join(slide.format(name) for name in ("One", "Two"))
    samples.write(
        tmp_path,
        {
            "a.ods": samples.opendocument(
                f"<office:spreadsheet>{''.join(sheets)}</office:spreadsheet>", style
            ),
            "a.odp": samples.opendocument(f"<office:presentation>{deck}</office:presentation>"),
        },
    )
    found, errors = read()
    assert not errors
    assert found["a.ods"].text == "## Seen\n\n| Seen |  | x |\n|---|---|---|\n"
    assert found["a.odp"].text == "# One\n\ntext\n\nsaid\n\f# Two\n\ntext\n\nsaid\n"
    assert found["a.odp"].metadata["pages"] == 2


def test_chapters_of_a_book_are_in_reading_order(tmp_path: Path, read: Callable) -> None:
    samples.write(tmp_path, {"a.epub": samples.epub()})
    document = read()[0]["a.epub"]
    assert document.text == f"# Falcons\n\n{samples.WORDS}.\n\n# Owls\n\nThey fly at night.\n"
    assert document.title == "Birds"
    assert document.metadata["author"] == "Ada Finch"
    assert document.metadata["language"] == "en"


def test_pdf_has_pages_and_headings_of_its_bookmarks(tmp_path: Path, read: Callable) -> None:
    pages = ["1. Falcons\nbody\n# define", "", "Owls are\nnice\nFalcons"]
    bookmarks = [("Falcons", 0), ("Owls are nice", 2), ("Absent", 2)]
    samples.write(tmp_path, {"a.pdf": samples.pdf(pages, title="Birds", bookmarks=bookmarks)})
    document = read()[0]["a.pdf"]
    assert document.text.split("\f") == [
        "# 1. Falcons\n\nbody\n\\# define\n",
        "\n",
        "# Owls are nice\n\nFalcons\n",
    ]
    assert document.title == "Birds"
    expected = {"pages": 3, "pages_without_text": 1, "author": "Ada"}
    expected["created"] = "2024-01-31T12:00:00Z"
    assert expected.items() <= document.metadata.items()


def test_large_distances_of_lines_in_a_pdf_are_paragraphs(tmp_path: Path, read: Callable) -> None:
    samples.write(tmp_path, {"a.pdf": samples.pdf(["one\ntwo\n\nthree\nfour", "five\nsix"])})
    assert read()[0]["a.pdf"].text == "one\ntwo\n\nthree\nfour\n\ffive\nsix\n"


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("D:20240131120000Z", "2024-01-31T12:00:00Z"),
        ("D:20240131120000+02'00'", "2024-01-31T12:00:00+02:00"),
        ("D:202401311200", "2024-01-31T12:00:00"),
        ("D:2024", "2024"),
        ("20240131", "2024-01-31"),
        ("yesterday", ""),
        ("", ""),
    ],
)
def test_dates_of_pdf_files(text: str, date: str) -> None:
    assert pdf_date(text) == date


@pytest.mark.parametrize(
    ("name", "media_type", "kind"),
    [
        ("a.PDF", "application/pdf", ".pdf"),
        ("a.tar.gz", "application/x-tar", ".tar.gz"),
        ("a.tgz", "application/x-tar", ".tgz"),
        ("a.md.gz", "application/gzip", ".md.gz"),
        ("README", "text/plain", "none"),
        ("a.h", "text/x-c", ".h"),
        ("a.png.gz", None, ".png.gz"),
        ("a.jsonl.gz", None, ".jsonl.gz"),
        ("a.md.xz", None, ".md.xz"),
        ("Makefile", "text/x-makefile", "none"),
        ("Dockerfile", "text/x-dockerfile", "none"),
        ("rules.mk", "text/x-makefile", ".mk"),
        ("pom.xml", "text/x-xml", ".xml"),
        ("app.conf", "text/x-ini", ".conf"),
        ("a.toml", "text/x-toml", ".toml"),
        ("a.ipynb", "application/x-ipynb+json", ".ipynb"),
        ("unknown", None, "none"),
    ],
)
def test_format_by_name(name: str, media_type: str | None, kind: str) -> None:
    found = format_of(name)
    assert (found.media_type if found else None) == media_type
    assert kind_of(Path(name)) == kind


def test_a_notebook_gives_its_texts_and_code_without_outputs(
    tmp_path: Path, read: Callable
) -> None:
    cells = [
        ("markdown", "# Birds of prey\n\n- kestrel\n"),
        ("raw", "raw"),
        ("code", 'x = "```"\nprint(x)\n'),
        ("code", "  \n"),
        ("markdown", "The end."),
    ]
    samples.write(tmp_path, {"a.ipynb": samples.notebook(cells)})
    document = read()[0]["a.ipynb"]
    assert document.title == "Birds of prey"
    assert document.text == (
        '# Birds of prey\n\n- kestrel\n\n````\nx = "```"\nprint(x)\n````\n\nThe end.\n'
    )
    assert document.metadata["type"] == "application/x-ipynb+json"


def test_an_old_notebook_is_read(tmp_path: Path, read: Callable) -> None:
    cells = [
        {"cell_type": "heading", "level": 2, "source": "Falcons"},
        {"cell_type": "code", "input": ["x = 1\n", "y = 2"], "outputs": [{"text": "no"}]},
    ]
    content = {"worksheets": [{"cells": cells}], "metadata": {"title": "Old"}, "nbformat": 3}
    samples.write(tmp_path, {"a.ipynb": json.dumps(content)})
    document = read()[0]["a.ipynb"]
    assert document.title == "Old"
    assert document.text == "## Falcons\n\n```\nx = 1\ny = 2\n```\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[1]", "damaged"),
        ('{"cells": 1}', "damaged"),
        ('{"cells": [1, {"cell_type": 7, "source": {}}]}', "empty"),
        ("no JSON", "damaged"),
        (b"\xff\xfe{", "damaged"),
        ("[" * 100_000, "over a limit"),
        (b"PK\x03\x04", "damaged"),
    ],
)
def test_a_file_that_is_no_notebook_is_reported(
    tmp_path: Path, read: Callable, content: str | bytes, reason: str
) -> None:
    samples.write(tmp_path, {"a.ipynb": content, "b.ipynb": samples.every()["a.ipynb"]})
    found, errors = read()
    assert set(found) == {"b.ipynb"}
    assert {name: one.reason for name, one in errors.items()} == {"a.ipynb": reason}


def test_source_code_without_a_known_suffix_is_read_by_its_name(
    tmp_path: Path, read: Callable
) -> None:
    files = {
        "Makefile": "# build\nall:\n\ttrue\n",
        "sub/Dockerfile": "FROM scratch\n",
        "pom.xml": "<?xml version='1.0'?>\n<project><name>kiwi</name></project>\n",
    }
    samples.write(tmp_path, files)
    found, errors = read()
    assert not errors
    assert {name: one.text for name, one in found.items()} == files
    assert {name: one.title for name, one in found.items()} == {
        "Makefile": "Makefile", "sub/Dockerfile": "Dockerfile", "pom.xml": "pom.xml"
    }  # fmt: skip


def test_suffix_of_another_format_cannot_be_registered() -> None:
    with pytest.raises(InvalidInputError, match=r"\.pdf belongs to application/pdf"):
        register_format(Format("text/x-mine", (".pdf",), "mine:read"))


def test_single_rich_file_and_archive(tmp_path: Path) -> None:
    samples.write(tmp_path, samples.every())
    names = ["a.docx", "a.zip", "a.html.gz"]
    found = [one.id for one in read_documents([tmp_path / name for name in names])]
    assert found == ["a.docx", "a.zip/x/a.html", "a.zip/x/b.md", "a.html.gz"]


def test_missing_extra_is_named(
    tmp_path: Path, read: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples.write(tmp_path, {"a.pdf": samples.pdf(["text"]), "b.html": "<p>text"})
    monkeypatch.setattr("twindex.sources.formats.converter.find_spec", lambda _: None)
    found, errors = read()
    assert list(found) == ["b.html"]
    assert errors["a.pdf"].reason == "extra not installed"
    assert "pip install 'twindex[documents]'" in str(errors["a.pdf"])


def test_first_unreadable_file_raises_without_on_error(tmp_path: Path) -> None:
    samples.write(tmp_path, {"a.pdf": samples.encrypted_pdf(), "b.md": "text"})
    with pytest.raises(SourceError, match=r"a\.pdf: is encrypted") as found:
        list(read_documents(tmp_path))
    assert found.value.reason == "encrypted"


def test_compressed_markdown_keeps_front_matter(tmp_path: Path, read: Callable) -> None:
    content = gzip.compress(b"---\ntitle: T\nn: 1\n---\nbody\n")
    files = {"a/b.md.gz": content, "README": "read me", "twice.md.gz.gz": gzip.compress(content)}
    samples.write(tmp_path, files)
    found, errors = read()
    assert not errors
    assert found["twice.md.gz.gz"].text == "body\n"
    document = found["a/b.md.gz"]
    assert (document.title, document.text, document.metadata["n"]) == ("T", "body\n", 1)
    assert document.metadata["type"] == "text/markdown"
    assert found["README"].title == "README"
