"""Reads the docstrings of Python's standard library, which exist on every machine with Python.

The source files are parsed and never imported, because some modules have side effects at import.
"""

from __future__ import annotations

import ast
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path

from ..core import Document, SourceError

MIN_CHARACTERS = 20
"""Minimum length of a docstring. Shorter ones are skipped."""

PACKAGES = (
    "asyncio", "collections", "concurrent", "email", "html", "http", "importlib", "json",
    "logging", "pathlib", "re", "sqlite3", "sysconfig", "tomllib", "unittest", "urllib",
    "zipfile", "zoneinfo",
)  # fmt: skip

MODULES = (
    "abc", "argparse", "ast", "base64", "bisect", "bz2", "calendar", "cmd", "code", "codecs",
    "configparser", "contextlib", "copy", "copyreg", "csv", "dataclasses", "datetime",
    "decimal", "difflib", "dis", "doctest", "enum", "filecmp", "fileinput", "fnmatch",
    "fractions", "functools", "getopt", "getpass", "gettext", "glob", "graphlib", "gzip",
    "hashlib", "heapq", "hmac", "inspect", "io", "ipaddress", "linecache", "locale", "lzma",
    "mimetypes", "numbers", "operator", "optparse", "os", "os.path", "pathlib", "pdb", "pickle",
    "pkgutil", "platform", "pprint", "py_compile", "queue", "random", "reprlib", "sched",
    "secrets", "selectors", "shelve", "shlex", "shutil", "socket", "socketserver", "ssl",
    "stat", "statistics", "string", "subprocess", "sysconfig", "tarfile", "tempfile",
    "textwrap", "threading", "timeit", "tokenize", "trace", "traceback", "tracemalloc", "types",
    "typing", "uuid", "warnings", "wave", "weakref", "webbrowser", "zipapp", "zipfile",
)  # fmt: skip

IMPLEMENTED_IN = {
    "datetime": "_pydatetime",
    "decimal": "_pydecimal",
    "io": "_pyio",
    "os.path": "posixpath",
    "pathlib": "pathlib/_local",
}
"""Module -> file with its definitions, for modules that are implemented in another file.

In some versions of Python, the definitions are in the module's own file."""

_Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def read_stdlib_docstrings(root: Path | None = None) -> Iterator[Document]:
    """Yield the docstrings of public modules, classes, functions and methods as documents.

    There are about three thousand documents, in a fixed order.

    root: folder of the standard library. None: the folder of the running interpreter.

    The fields of a document are:

    id:       dotted name.
    title:    name with parameters.
    text:     docstring. Of several equal docstrings, only the first is included.
    metadata: package, module, kind (module, class, function, method or property) and lines (number
              of lines of source code).

    Raises SourceError if the source files are not installed.
    """
    root = Path(sysconfig.get_paths()["stdlib"]) if root is None else root
    ids: set[str] = set()
    texts: set[str] = set()
    for name, path in _source_files(root):
        for document in _documents(name, path):
            new = document.id not in ids and document.text not in texts
            if new and len(document.text) >= MIN_CHARACTERS:
                ids.add(document.id)
                texts.add(document.text)
                yield document
    if not ids:
        raise SourceError(
            "the source files of the standard library are missing; install them", path=root
        )


def _source_files(root: Path) -> Iterator[tuple[str, Path]]:
    """Yield (dotted name, file) of the modules to read, sorted by name.

    Modules that this version of Python lacks are skipped.
    """
    found: dict[str, Path] = {}
    for name in MODULES:
        for stem in (IMPLEMENTED_IN.get(name, name), name):
            path = root / f"{stem}.py"
            if path.is_file():
                found.setdefault(name, path)
    for package in PACKAGES:
        for path in (root / package).rglob("*.py"):
            parts = path.relative_to(root).with_suffix("").parts
            parts = parts[:-1] if parts[-1] == "__init__" else parts
            if not any(part.startswith("_") or part in ("test", "tests") for part in parts):
                found.setdefault(".".join(parts), path)
    yield from sorted(found.items())


def _documents(module: str, path: Path) -> Iterator[Document]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # The library itself contains invalid escapes.
        tree = ast.parse(path.read_bytes(), filename=str(path))
    lines = tree.body[-1].end_lineno if tree.body else 0
    yield _document(module, module, ast.get_docstring(tree), module, "module", lines or 0)
    yield from _definitions(tree.body, module, module)


def _definitions(body: list[ast.stmt], prefix: str, module: str) -> Iterator[Document]:
    """Yield documents of the public definitions in `body`, including those in `if` and `try`."""
    for node in body:
        if isinstance(node, ast.If):
            yield from _definitions(node.body + node.orelse, prefix, module)
        elif isinstance(node, ast.Try):
            handlers = [line for handler in node.handlers for line in handler.body]
            yield from _definitions(node.body + handlers + node.orelse, prefix, module)
        elif isinstance(node, _Definition) and not node.name.startswith("_"):
            name = f"{prefix}.{node.name}"
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            kind = _kind(node, in_class=prefix != module)
            title = name
            if kind in ("function", "method") and not isinstance(node, ast.ClassDef):
                title += f"({', '.join(_parameters(node.args))})"
            yield _document(name, title, ast.get_docstring(node), module, kind, lines)
            if isinstance(node, ast.ClassDef):
                yield from _definitions(node.body, name, module)


def _document(
    name: str, title: str, docstring: str | None, module: str, kind: str, lines: int
) -> Document:
    package = module.partition(".")[0]
    metadata = {"package": package, "module": module, "kind": kind, "lines": lines}
    return Document(id=name, title=title, text=docstring or "", metadata=metadata)


def _kind(node: _Definition, *, in_class: bool) -> str:
    if isinstance(node, ast.ClassDef):
        return "class"
    if not in_class:
        return "function"
    decorators = {
        decorator.id for decorator in node.decorator_list if isinstance(decorator, ast.Name)
    }
    return "property" if decorators & {"property", "cached_property"} else "method"


def _parameters(arguments: ast.arguments) -> list[str]:
    """Return the names of public parameters as in a signature, without `self` and `cls`.

    Defaults and annotations are left out.
    """
    names = [argument.arg for argument in arguments.posonlyargs]
    names += ["/"] if names else []
    names += [argument.arg for argument in arguments.args]
    if arguments.vararg:
        names.append(f"*{arguments.vararg.arg}")
    elif arguments.kwonlyargs:
        names.append("*")
    names += [argument.arg for argument in arguments.kwonlyargs]
    names += [f"**{arguments.kwarg.arg}"] if arguments.kwarg else []
    if names[:2] in (["self", "/"], ["cls", "/"]):
        del names[1]
    return [name for name in names if name not in ("self", "cls") and name[0] != "_"]
