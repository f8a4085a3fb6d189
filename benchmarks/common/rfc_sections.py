"""A test collection of sections, made from RFCs.

A query is a sentence of an RFC that cites a section: "Section 3.2 of RFC 1234", or "Section 3.2"
of the same RFC. The citation is removed from the query, and the whole sentence from the
collection. The cited section, with its subsections, is the answer. RFCs are converted to
Markdown: numbered headings get `#` marks, and the headers and footers of pages are removed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from twindex.core import Document

from .datasets import DATA, json_lines

INTERNAL = 4
"""Most queries from citations inside one RFC."""
LEAST_WORDS = 8
"""Least number of words of a query, without the citation."""

_FOOTER = re.compile(r"^.*\[Page \d+\]\s*$")
_HEADING = re.compile(r"^(\d{1,2}(?:\.\d{1,2}){0,4})\.?\s{1,4}([A-Z][^.\n]{2,70})$")
_CONTENTS_LINE = re.compile(r"\.{3,}|\s\d+$")
_SENTENCE = re.compile(r"[A-Z(][^\n]*?[.](?=\s+[A-Z(]|\s*$)")
_OF_RFC = re.compile(r"[Ss]ection\s+(\d+(?:\.\d+)*)\s+(?:of|in)\s+\[?RFC[ -]?(\d+)\]?")
_RFC_SECTION = re.compile(r"\[?RFC[ -]?(\d+)\]?,?\s+\(?[Ss]ection\s+(\d+(?:\.\d+)*)\)?")
_SECTION = re.compile(r"[Ss]ection\s+(\d+(?:\.\d+)*)(?!\.?\w|\s+(?:of|in)\s)")
_BOILERPLATE = re.compile(r"Trust Legal|BSD License|Copyright|IANA")
_CITED = re.compile(r"\[[A-Z][\w.-]*\]|\bRFC[ -]?\d+|[Ss]ections?\s+\d[\d.]*\b")
_JOINS = re.compile(
    r"\(\s*(?:see|cf\.?|per)?\s*(?:also)?\s*[,;]?\s*\)|\b(?:see|in|of|per|by)\s+(?=[,.;)])"
)


@dataclass(frozen=True, slots=True)
class Section:
    """A section of an RFC: the characters `start` to `end`, with its subsections."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class SectionQuery:
    """A query and the section that answers it.

    other: True if another RFC cites the section.
    """

    id: str
    text: str
    document: str
    section: Section
    other: bool


@dataclass(frozen=True, slots=True)
class SectionSet:
    """Documents and queries."""

    documents: Sequence[Document]
    queries: Sequence[SectionQuery]


def section_set(most: int | None = None) -> SectionSet:
    """Return the collection.

    most: number of documents; RFCs that answer queries from other RFCs come first. None: all.
    """
    texts = {
        line["_id"]: _markdown(line["text"])
        for line in json_lines(DATA / "rfc" / "corpus.jsonl.gz")
    }
    found = list(_citations(texts))
    removed: dict[str, set[str]] = {}
    for source, sentence, _, _ in found:
        removed.setdefault(source, set()).add(sentence)
    for name, sentences in removed.items():
        for sentence in sentences:
            texts[name] = texts[name].replace(sentence, "")
    sections = {name: _sections(text) for name, text in texts.items()}
    queries = []
    for source, sentence, name, number in found:
        section = sections[name].get(number)
        text = _query(sentence)
        if section is None or len(text.split()) < LEAST_WORDS:
            continue
        if section.end - section.start > len(texts[name]) // 3:
            continue  # A third of a document is no answer.
        queries.append(SectionQuery(f"q{len(queries)}", text, name, section, other=source != name))
    queries = list({(one.text, one.document): one for one in queries}.values())
    answering = list(dict.fromkeys(one.document for one in queries if one.other))
    order = [*answering, *sorted(set(texts) - set(answering), key=_by_digits)]
    chosen = set(order[:most])
    return SectionSet(
        [Document(name, texts[name], _name(texts[name])) for name in sorted(chosen)],
        [one for one in queries if one.document in chosen],
    )


def _by_digits(name: str) -> str:
    """A key that mixes old and new RFCs."""
    return name.removeprefix("rfc")[::-1]


def _markdown(text: str) -> str:
    """The text of an RFC without headers and footers of pages, with marks before headings."""
    lines: list[str] = []
    after_break = False
    for line in text.replace("\r", "").split("\n"):
        if "\f" in line:
            after_break = True
            line = line.replace("\f", "")
        if _FOOTER.match(line):
            while lines and not lines[-1].strip():
                lines.pop()
            continue
        if after_break and (not line.strip() or re.match(r"(RFC|Internet)\b.*\d{4}\s*$", line)):
            continue
        if after_break:
            after_break = False
            if not (lines and lines[-1][-1:].isalnum() and line.strip()[:1].islower()):
                lines.append("")
        heading = _HEADING.match(line)
        if heading and not _CONTENTS_LINE.search(heading[2]):
            line = f"{'#' * (heading[1].count('.') + 1)} {heading[1]}. {heading[2].strip()}"
        lines.append(line.rstrip())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _name(text: str) -> str:
    """The title of an RFC: the first centred line after the block of names."""
    for block in text.split("\n\n")[1:4]:
        if block.startswith("      ") and len(block) < 300:
            return " ".join(block.split())
    return ""


def _sections(text: str) -> Mapping[str, Section]:
    """Number -> section."""
    marks = [
        (match.start(), len(match[1]), match[2])
        for match in re.finditer(r"^(#{1,6}) (\d[\d.]*)\. ", text, re.MULTILINE)
    ]
    found: dict[str, Section] = {}
    for at, (start, level, number) in enumerate(marks):
        later = (begin for begin, other, _ in marks[at + 1 :] if other <= level)
        found[number] = Section(start, next(later, len(text)))
    return found


def _citations(texts: Mapping[str, str]) -> Iterator[tuple[str, str, str, str]]:
    """Yield (RFC, sentence in its text, cited RFC, number of the cited section)."""
    for source, text in texts.items():
        internal = 0
        for start, end in _sentences(text):
            sentence = text[start:end]
            flat = " ".join(sentence.split())
            if _BOILERPLATE.search(flat):
                continue
            cited = [(m[2], m[1]) for m in _OF_RFC.finditer(flat)]
            cited += [(m[1], m[2]) for m in _RFC_SECTION.finditer(flat)]
            targets = {(f"rfc{int(number)}", section) for number, section in cited}
            if not cited and internal < INTERNAL and "RFC" not in flat and "[" not in flat:
                targets = {(source, m[1]) for m in _SECTION.finditer(flat)}
                internal += len(targets) == 1
            if len(targets) == 1:
                name, section = targets.pop()
                if name in texts:
                    yield source, sentence, name, section


def _sentences(text: str) -> Iterator[tuple[int, int]]:
    """Yield the range of each sentence of a paragraph that is indented prose."""
    for block in re.finditer(r"(?:^ {3}\S[^\n]*\n?)+", text, re.MULTILINE):
        paragraph = block.group()
        flat = paragraph.replace("\n", " ")
        for match in _SENTENCE.finditer(flat):
            if "ection" in match.group() and len(match.group()) < 500:
                yield block.start() + match.start(), block.start() + match.end()


def _query(sentence: str) -> str:
    """A sentence without its citation."""
    flat = _CITED.sub("", " ".join(sentence.split()))
    flat = _JOINS.sub("", flat)
    return re.sub(r"\s+([,.;)])", r"\1", " ".join(flat.split())).strip(" ,;")


def located(section: Section, start: int, end: int) -> bool:
    """Return True if half of a passage is in the section, or half of the section in it."""
    common = min(section.end, end) - max(section.start, start)
    return 2 * common >= min(end - start, section.end - section.start)
