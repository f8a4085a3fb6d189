"""Hostile and damaged files are named with a reason, and cost bounded time, memory and disk."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from twindex.core import SourceError
from twindex.sources import FileReader, Limits, read_documents, survey
from twindex.sources.formats.limits import MAX_FOLDERS

from . import samples

MB = 1 << 20
SIZE = 16 * MB


def bomb(name: str, copies: int = 160) -> bytes:
    """Return a ZIP archive whose members unpack to SIZE bytes each."""
    content = zlib.compressobj(9, wbits=-15)
    deflated = content.compress(bytes(SIZE)) + content.flush()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, bytes(SIZE))
        for number in range(1, copies):
            info = zipfile.ZipInfo(f"{number}{name}")
            info.compress_type, info.file_size = zipfile.ZIP_DEFLATED, SIZE
            info.compress_size, info.CRC = len(deflated), zlib.crc32(bytes(SIZE))
            info.header_offset = buffer.tell()
            buffer.write(info.FileHeader() + deflated)
            archive.filelist.append(info)
        archive.start_dir = buffer.tell()
        archive._didModify = True  # type: ignore[attr-defined]
    return buffer.getvalue()


@pytest.fixture(scope="module")
def zip_bomb() -> bytes:
    return bomb("a.md")


def test_zip_bomb_is_refused_before_it_is_unpacked(
    tmp_path: Path, read: Callable, zip_bomb: bytes
) -> None:
    assert len(zip_bomb) < 4 * MB
    samples.write(tmp_path, {"a.zip": zip_bomb, "b.md": "good"})
    began = time.monotonic()
    found, errors = read()
    assert list(found) == ["b.md"]
    assert errors["a.zip"].reason == "over a limit"
    assert "raise the limit `ratio`" in str(errors["a.zip"])
    assert time.monotonic() - began < 5


def test_bombs_in_other_coats(tmp_path: Path, read: Callable, zip_bomb: bytes) -> None:
    page = bytes(24 * MB)
    samples.write(
        tmp_path,
        {
            "nested.zip": samples.zipped({"in/a.zip": zip_bomb}),
            "a.md.gz": gzip.compress(page),
            "a.tar.gz": samples.tarred({"a.md": page}),
            "a.tar.bz2": samples.tarred({"a.md": page}, "w:bz2"),
            "a.docx": samples.zipped({"word/document.xml": page}),
            "a.epub": samples.zipped({**samples.EPUB_PARTS, "OPS/x.css": page}),
        },
    )
    found, errors = read()
    assert not found
    for name in ("nested.zip/in/a.zip", "a.md.gz", "a.tar.gz", "a.tar.bz2", "a.docx", "a.epub"):
        assert errors[name].reason == "over a limit", name


def test_header_of_a_tar_file_cannot_eat_memory(tmp_path: Path, read: Callable) -> None:
    """The size of a PAX header is read into memory at once."""
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 8 << 30
    samples.write(tmp_path, {"a.tar.gz": gzip.compress(info.tobuf() + bytes(32 * MB))})
    assert read()[1]["a.tar.gz"].reason in ("over a limit", "damaged")


def test_archives_inside_archives_end_at_a_depth(tmp_path: Path, read: Callable) -> None:
    content = samples.zipped({"a.md": "text"})
    for _ in range(5):
        content = samples.zipped({"b.md": "text", "in.zip": content})
    samples.write(tmp_path, {"x.zip": content})
    found, errors = read()
    assert set(found) == {f"x.zip/{'in.zip/' * depth}b.md" for depth in range(4)}
    (error,) = errors.values()
    assert error.path.name == "in.zip"
    assert "is inside 4 archives" in str(error)


def test_members_are_limited_over_all_levels(tmp_path: Path, read: Callable) -> None:
    inner = samples.zipped({f"{number}.md": "x" for number in range(6)})
    samples.write(tmp_path, {"a.zip": samples.zipped({"1.zip": inner, "2.zip": inner})})
    with FileReader(Limits(members=10)) as reader:
        found, errors = read(tmp_path, reader)
    assert len(found) == 6
    assert list(errors) == ["a.zip/2.zip"]
    assert "files; unpack it, or raise the limit `members`" in str(errors["a.zip/2.zip"])


def test_members_cannot_choose_their_place(tmp_path: Path, read: Callable) -> None:
    folder = tmp_path / "folder"
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        for name, kind in (("l.md", tarfile.SYMTYPE), ("h.md", tarfile.LNKTYPE), ("d", b"3")):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        archive.addfile(tarfile.TarInfo("../../up.md"))
        info = tarfile.TarInfo("/abs.md")
        info.size = 4
        archive.addfile(info, io.BytesIO(b"text"))
    names = {
        "../../up.md": "up",
        "/abs.md": "abs",
        "./a/../b.md": "b",
        ".hid/c.md": "c",
        "e.md": "",
    }
    samples.write(folder, {"a.zip": samples.zipped(names), "a.tar": tar.getvalue()})
    found, errors = read(folder)
    zipped = {"a.zip/up.md", "a.zip/abs.md", "a.zip/a/b.md"}
    assert set(found) == {*zipped, "a.tar/abs.md"}
    assert {name: error.reason for name, error in errors.items()} == {
        "a.tar/l.md": "link",
        "a.tar/h.md": "link",
        "a.tar/d": "link",
        "a.tar/up.md": "empty",
        "a.zip/e.md": "empty",
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder"]


def test_members_that_are_not_read_are_named(tmp_path: Path, read: Callable) -> None:
    buffer = io.BytesIO(samples.zipped({"a.md": "first", "x.png": "x", "c.jsonl": "{}"}))
    with zipfile.ZipFile(buffer, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("a.md", "second")
    content = bytearray(samples.zipped({"locked.md": "x", "ok.md": "y"}))
    at = content.index(b"PK\x01\x02")
    content[at + 8] |= 1  # The flag of an encrypted member, which is the first.
    samples.write(tmp_path, {"a.zip": buffer.getvalue(), "b.zip": bytes(content)})
    found, errors = read()
    assert {name: one.text for name, one in found.items()} == {
        "a.zip/a.md": "second",
        "b.zip/ok.md": "y",
    }
    assert {name: error.reason for name, error in errors.items()} == {
        "a.zip/x.png": "of another kind",
        "a.zip/c.jsonl": "with records",
        "a.zip/a.md": "replaced",
        "b.zip/locked.md": "encrypted",
    }


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.97])
def test_truncated_files_of_every_kind_are_named(
    tmp_path: Path, read: Callable, share: float
) -> None:
    whole = {name: data for name, data in samples.every().items() if name != "a.html"}
    samples.write(tmp_path, {name: data[: int(len(data) * share)] for name, data in whole.items()})
    found, errors = read()
    for name in whole:
        ids = [one for one in found if one.partition("/")[0] == name]
        if name in ("a.pdf", "a.tar.gz") and ids:  # What can be read is read.
            continue
        assert not ids, name
        assert errors[name].reason == ("damaged" if share else "empty"), (name, errors[name])


def test_start_of_a_damaged_tar_file_is_read_and_the_rest_named(
    tmp_path: Path, read: Callable
) -> None:
    rest = os.urandom(200_000).hex().encode()
    data = samples.tarred({"a.md": b"text", "b.txt": rest})
    samples.write(tmp_path, {"a.tgz": data[: len(data) // 2]})
    found, errors = read()
    assert list(found) == ["a.tgz/a.md"]
    assert errors["a.tgz"].reason == "damaged"
    assert "the rest of it is not read" in str(errors["a.tgz"])


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.txt", b"PK\x03\x04...", "with a wrong suffix"),
        ("a.md", b"\x89PNG\r\n\x1a\n", "with a wrong suffix"),
        ("a.py", b"\x1f\x8b\x08", "with a wrong suffix"),
        ("a.pdf", b"\xff\xd8\xff\xe0JFIF", "with a wrong suffix"),
        ("a.docx", b"{\\rtf1 hello}", "with a wrong suffix"),
        ("a.docx", b"plain text", "damaged"),
        ("a.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "with a wrong suffix"),
        (
            "a.xlsx",
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"),
            "encrypted",
        ),
        ("a.txt", b"one\ntwo\xff", "damaged"),
        ("a.txt", "text".encode("utf-16"), "damaged"),
        ("a.html", b"<meta charset=utf-8><p>\xff", "damaged"),
        ("a.txt", b"", "empty"),
        ("a.md", b"  \n", "empty"),
        ("a.html", b"<p> </p>", "empty"),
        ("a.xlsx", samples.zipped({"word/document.xml": "x"}), "damaged"),
        ("a.zip", samples.zipped({}), "empty"),
        ("a.tar", samples.tarred({".hidden.md": b"x"}, "w"), "empty"),
        ("a.txt", samples.pdf([samples.WORDS]), None),
        ("a.docx", samples.pdf([samples.WORDS]), None),
        ("a.docx", b"<html><p>" + samples.WORDS.encode(), None),
        ("a.txt", b"\n<!DOCTYPE html><p>" + samples.WORDS.encode(), None),
        ("a.pdf", b"junk\n" + samples.pdf([samples.WORDS]), None),
    ],
)
def test_wrong_suffixes_and_bytes(
    tmp_path: Path, read: Callable, name: str, content: bytes, reason: str | None
) -> None:
    samples.write(tmp_path, {name: content})
    found, errors = read()
    assert [error.reason for error in errors.values()] == ([reason] if reason else [])
    if reason is None:
        assert samples.WORDS in found[name].text
        assert found[name].metadata["type"] in ("application/pdf", "text/html")


def test_scans_and_passwords_are_named(tmp_path: Path, read: Callable) -> None:
    files = {"scan.pdf": samples.image_pdf(), "locked.pdf": samples.encrypted_pdf()}
    container = dict(samples.EPUB_PARTS)
    container["META-INF/encryption.xml"] = (
        '<encryption><EncryptedData><EncryptionMethod Algorithm="http://www.w3.org/2001/04/'
        'xmlenc#aes128-cbc"/></EncryptedData></encryption>'
    )
    files |= {"drm.epub": samples.zipped(container), "blank.pdf": samples.pdf(["", ""])}
    samples.write(tmp_path, files)
    found, errors = read()
    assert not found
    assert {name: error.reason for name, error in errors.items()} == {
        "scan.pdf": "images only",
        "locked.pdf": "encrypted",
        "drm.epub": "encrypted",
        "blank.pdf": "empty",
    }


@pytest.mark.parametrize(
    "tag", ["<div>", pytest.param("<table><tr><td>", marks=pytest.mark.slow), "<ul><li>"]
)
def test_deeply_nested_tags_take_linear_time(tmp_path: Path, read: Callable, tag: str) -> None:
    samples.write(tmp_path, {"a.html": f"{tag * 100_000}deep"})
    with FileReader(Limits(seconds=30)) as reader:
        found, errors = read(tmp_path, reader)
        assert not errors
        assert found["a.html"].text.rstrip("`\n").endswith("deep")
        assert reader.peak_bytes < 500 * MB


def test_entities_of_xml_cannot_explode(tmp_path: Path, read: Callable) -> None:
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    laughs = f'<!DOCTYPE x [<!ENTITY e0 "ha">{levels}]><container>&e11;</container>'
    parts = {**samples.EPUB_PARTS, "META-INF/container.xml": laughs}
    word = samples.zipped({"word/document.xml": laughs, "[Content_Types].xml": laughs})
    samples.write(tmp_path, {"a.epub": samples.zipped(parts), "a.docx": word})
    found, errors = read()
    assert not found
    assert {error.reason for error in errors.values()} <= {"damaged", "over a limit"}


def test_hostile_open_documents(tmp_path: Path, read: Callable) -> None:
    cell = '<table:table-cell table:number-columns-repeated="999999"><text:p>{}</text:p>'
    row = f'<table:table-row table:number-rows-repeated="999999">{cell.format("x" * 90_000)}'
    sheet = f"<table:table>{row}</table:table-cell></table:table-row></table:table>"
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    laughs = f'<!DOCTYPE x [<!ENTITY e0 "ha">{levels}]><x>&e11;</x>'
    manifest = "<manifest><file-entry><encryption-data/></file-entry></manifest>"
    whole = f"<office:text><text:p>{samples.WORDS}</text:p></office:text>"
    deep = "<text:section>" * 50_000 + "<text:p>deep</text:p>" + "</text:section>" * 50_000
    files = {
        "rows.ods": samples.opendocument(f"<office:spreadsheet>{sheet}</office:spreadsheet>"),
        "laughs.odt": samples.zipped({"content.xml": laughs}),
        "locked.odt": samples.opendocument(whole, **{"META-INF/manifest.xml": manifest}),
        "deep.odt": samples.odf_text(deep),
        "empty.odp": samples.opendocument("<office:presentation/>"),
        "none.odt": samples.opendocument(""),
        "word.odt": samples.word(),
    }
    samples.write(tmp_path, files)
    with FileReader(Limits(seconds=60)) as reader:
        found, errors = read(tmp_path, reader)
        assert not found
        assert reader.peak_bytes < 900 * MB
    assert {name: error.reason for name, error in errors.items()} == {
        "rows.ods": "too large",
        "laughs.odt": errors["laughs.odt"].reason,
        "locked.odt": "encrypted",
        "deep.odt": "over a limit",
        "empty.odp": "empty",
        "none.odt": "damaged",
        "word.odt": "damaged",
    }
    assert errors["laughs.odt"].reason in ("damaged", "over a limit")


def test_endless_links_and_deep_folders_end(tmp_path: Path) -> None:
    (tmp_path / "loop.md").symlink_to(tmp_path / "loop.md")
    (tmp_path / "up").symlink_to(tmp_path)
    (tmp_path / "a.md").write_text("good")
    deep = tmp_path
    for _ in range(MAX_FOLDERS + 1):
        deep = deep / "d"
        deep.mkdir()
    (deep / "b.md").write_text("too deep")
    errors: list[SourceError] = []
    assert [one.id for one in read_documents(tmp_path, on_error=errors.append)] == ["a.md"]
    assert survey([tmp_path]).left_out == {
        "broken or endless link": {".md": 1},
        f"inside more than {MAX_FOLDERS} folders": {"folder": 1},
        "link to a folder": {"folder": 1},
    }


def test_file_that_vanishes_or_has_an_odd_name_is_named(tmp_path: Path, reader: FileReader) -> None:
    errors: list[SourceError] = []
    assert not list(reader.read(tmp_path / "gone.md", on_error=errors.append))
    assert errors.pop().reason == "unreadable"
    odd = tmp_path / os.fsdecode(b"a\xff.html")
    odd.write_text("<p>text")
    assert not list(reader.read(odd, on_error=errors.append))
    assert errors[0].field == "id"
    assert [one.text for one in reader.read(odd, "name.html")] == ["text\n"]


@pytest.mark.slow
def test_random_damage_gives_a_document_or_a_reason(tmp_path: Path, read: Callable) -> None:
    """Flipped, removed and repeated bytes never stop the reading of other files."""
    random = Random(0)
    files: dict[str, bytes] = {}
    for name, data in samples.every().items():
        for number in range(60):
            content = bytearray(data)
            for _ in range(random.choice((1, 3, 30))):
                at = random.randrange(len(content))
                match random.randrange(3):
                    case 0:
                        content[at] ^= 1 << random.randrange(8)
                    case 1:
                        del content[at : at + random.randrange(1, 20)]
                    case 2:
                        content[at:at] = content[at : at + 50] * random.randrange(1, 5)
            files[f"{number}{name}"] = bytes(content)
    samples.write(tmp_path, files)
    with FileReader(Limits(seconds=20)) as files_reader:
        found, errors = read(tmp_path, files_reader)
    named = {name.partition("/")[0] for name in (*found, *errors)}
    assert named == set(files)
    known = {"damaged", "encrypted", "empty", "over a limit", "with a wrong suffix", "too large"}
    known |= {"of another kind", "link", "images only", "replaced", "with records", "invalid"}
    assert {error.reason for error in errors.values()} <= known
