"""The known file formats: suffixes, media types and readers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ...core import InvalidInputError

_HERE = __name__.rpartition(".")[0]
_OFFICE = "application/vnd.openxmlformats-officedocument."
_OPEN = "application/vnd.oasis.opendocument."


@dataclass(frozen=True, slots=True)
class Format:
    """A format of files.

    media_type: value of the metadata field `type`.
    suffixes:   suffixes of file names in lower case, such as ".pdf".
    reader:     "module:function". The function receives a Path and Limits, and returns Converted.
                It runs in the process that converts files. None: the file is UTF-8 text.
    package:    module that the reader requires; None: the base installation is enough.
    extra:      extra of Twindex that installs the package.
    archive:    True for an archive. The reader then receives a Path, the empty folder for the
                unpacked files and Limits, and returns Unpacked.
    """

    media_type: str
    suffixes: tuple[str, ...]
    reader: str | None = None
    package: str | None = None
    extra: str = "documents"
    archive: bool = False


def _text(media_type: str, *suffixes: str) -> Format:
    return Format(media_type, suffixes)


def _code(name: str, *suffixes: str) -> Format:
    return Format(f"text/x-{name}", suffixes)


def _archive(media_type: str, function: str, *suffixes: str) -> Format:
    return Format(media_type, suffixes, f"{_HERE}.archives:{function}", archive=True)


MARKDOWN = _text("text/markdown", ".md", ".markdown")
PLAIN = _text("text/plain", ".txt", ".text")
HTML = Format("text/html", (".html", ".htm", ".xhtml"), f"{_HERE}.html:read_html")
PDF = Format("application/pdf", (".pdf",), f"{_HERE}.pdf:read_pdf", "pypdfium2")
WORD = Format(f"{_OFFICE}wordprocessingml.document", (".docx",), f"{_HERE}.word:read_word", "docx")
SLIDES = Format(
    f"{_OFFICE}presentationml.presentation", (".pptx",), f"{_HERE}.slides:read_slides", "pptx"
)
SHEETS = Format(
    f"{_OFFICE}spreadsheetml.sheet", (".xlsx",), f"{_HERE}.sheets:read_sheets", "openpyxl"
)
EPUB = Format("application/epub+zip", (".epub",), f"{_HERE}.epub:read_epub")
OPEN_DOCUMENTS = tuple(
    Format(f"{_OPEN}{kind}", (suffix,), f"{_HERE}.opendocument:read_opendocument")
    for kind, suffix in (("text", ".odt"), ("spreadsheet", ".ods"), ("presentation", ".odp"))
)
NOTEBOOK = Format("application/x-ipynb+json", (".ipynb",), f"{_HERE}.notebook:read_notebook")
ZIP = _archive("application/zip", "unpack_zip", ".zip")
TAR = _archive("application/x-tar", "unpack_tar", ".tar", ".tgz", ".tbz2", ".txz")
GZIP = _archive("application/gzip", "unpack_gzip", ".gz")

_RUBY = _code("ruby", ".rb")
_MAKE = _code("makefile", ".mk")
_DOCKER = _code("dockerfile", ".dockerfile")
_GROOVY = _code("groovy", ".groovy", ".gradle")
CODE = (
    _code("python", ".py", ".pyi"),
    _code("javascript", ".js", ".mjs", ".cjs", ".jsx"),
    _code("typescript", ".ts", ".tsx", ".mts"),
    _code("java", ".java"),
    _code("kotlin", ".kt", ".kts"),
    _code("scala", ".scala"),
    _code("go", ".go"),
    _code("rust", ".rs"),
    _code("c", ".c", ".h"),
    _code("c++", ".cc", ".cpp", ".cxx", ".hh", ".hpp", ".hxx"),
    _code("csharp", ".cs"),
    _code("objective-c", ".m", ".mm"),
    _code("swift", ".swift"),
    _RUBY,
    _code("php", ".php"),
    _code("perl", ".pl", ".pm"),
    _code("lua", ".lua"),
    _code("r", ".r"),
    _code("julia", ".jl"),
    _code("haskell", ".hs"),
    _code("ocaml", ".ml", ".mli"),
    _code("elixir", ".ex", ".exs"),
    _code("erlang", ".erl"),
    _code("clojure", ".clj"),
    _code("lisp", ".lisp", ".el", ".scm"),
    _code("sh", ".sh", ".bash", ".zsh", ".fish"),
    _code("powershell", ".ps1"),
    _code("sql", ".sql"),
    _code("proto", ".proto"),
    _code("dart", ".dart"),
    _code("zig", ".zig"),
    _code("fortran", ".f90", ".f95"),
    _code("css", ".css", ".scss", ".sass", ".less"),
    _code("vue", ".vue"),
    _code("svelte", ".svelte"),
    _code("graphql", ".graphql"),
    _code("terraform", ".tf", ".hcl"),
    _code("bat", ".bat", ".cmd"),
    _code("diff", ".diff", ".patch"),
    _code("xml", ".xml", ".xsd", ".xsl", ".xslt", ".wsdl"),
    _code("cmake", ".cmake"),
    _MAKE,
    _DOCKER,
    _GROOVY,
    _code("yaml", ".yaml", ".yml"),
    _code("toml", ".toml"),
    _code("ini", ".ini", ".cfg", ".conf", ".properties"),
    _code("rst", ".rst"),
    _code("asciidoc", ".adoc", ".asciidoc"),
    _code("org", ".org"),
    _code("tex", ".tex"),
)
"""Source code and other plain text with its own syntax, in which `#` does not start a heading."""

_NAMES = {
    **dict.fromkeys(
        ("readme", "license", "licence", "copying", "changelog", "authors", "news", "notice"), PLAIN
    ),
    **dict.fromkeys(("makefile", "gnumakefile"), _MAKE),
    **dict.fromkeys(("dockerfile", "containerfile"), _DOCKER),
    **dict.fromkeys(("gemfile", "rakefile", "vagrantfile"), _RUBY),
    "jenkinsfile": _GROOVY,
}
"""Format of files that usually have no suffix, by their names in lower case."""
_SUFFIX = re.compile(r"(?<=[^./])\.[^./]+$")
_COMPRESSED = (".gz", ".bz2", ".xz")

TABLE_SUFFIXES = frozenset({".csv", ".tsv"})
ARROW_SUFFIXES = frozenset({".parquet", ".arrow", ".feather"})
RECORD_SUFFIXES = TABLE_SUFFIXES | ARROW_SUFFIXES | {".json", ".jsonl", ".ndjson"}
"""Suffixes of files with many documents. JSON and tables may be compressed (`.gz`)."""

_formats: dict[str, Format] = {}


def register_format(kind: Format) -> Format:
    """Register a format, so that Twindex reads files with its suffixes. Return the format.

    The module in `Format.reader` must be importable in a new process with the same `sys.path`.

    Raises InvalidInputError if a suffix belongs to another format.
    """
    for suffix in kind.suffixes:
        if _formats.get(suffix, kind) != kind:
            message = f"{suffix} belongs to {_formats[suffix].media_type}; choose another suffix"
            raise InvalidInputError(message, field="suffixes")
    _formats.update(dict.fromkeys(kind.suffixes, kind))
    return kind


BUILT_IN = (
    *(MARKDOWN, PLAIN, HTML, PDF, WORD, SLIDES, SHEETS, EPUB, *OPEN_DOCUMENTS),
    *(NOTEBOOK, ZIP, TAR, GZIP, *CODE),
)
for _known in BUILT_IN:
    register_format(_known)


def plug_ins() -> list[Format]:
    """Return the registered formats that are not built in."""
    return [kind for kind in dict.fromkeys(_formats.values()) if kind not in BUILT_IN]


def format_of(name: str) -> Format | None:
    """Return the format that belongs to the name of a file; None if its suffix is unknown.

    A `.gz` file has the format GZIP if the name without `.gz` has a known format. `.tar.gz`,
    `.tar.bz2` and `.tar.xz` files have the format TAR.
    """
    name = name.lower()
    suffix = _suffix(name)
    found = _formats.get(suffix)
    if found is GZIP or (not found and suffix in _COMPRESSED):
        inner = name.removesuffix(suffix)
        if inner.endswith(".tar"):
            return TAR
        return GZIP if found is GZIP and format_of(inner) is not None else None
    return found or _NAMES.get(name)


def _suffix(name: str) -> str:
    match = _SUFFIX.search(name)
    return match[0] if match else ""


def suffixes() -> list[str]:
    """Return the suffixes of all formats, sorted."""
    return sorted(_formats)


def kind_of(path: Path) -> str:
    """Return the suffix of a file name in lower case, such as ".pdf" or ".json.gz"; or "none"."""
    name = path.name.lower()
    suffix = _suffix(name)
    if suffix in _COMPRESSED:
        suffix = _suffix(name.removesuffix(suffix)) + suffix
    return suffix or "none"
