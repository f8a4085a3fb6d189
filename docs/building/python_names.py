"""Generates the Python reference: a page for each public module, with its public names."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import twindex

MODULES = ("", "client", "search", "eval", "eval.answers", "rerank", "encoders", "index")
"""Sub-packages with a page; "" is twindex itself."""

ADAPTERS = ("integrations.langchain", "integrations.llama_index", "integrations.haystack")
"""Sub-packages with a page that need a framework. They are read, and not imported."""


def names(module: str) -> list[str]:
    """The public names of a module, sorted."""
    return sorted(name for name in _load(module).__all__ if name != "__version__")


def pages() -> dict[str, str]:
    """The generated pages: path below docs/reference -> text."""
    homes: dict[int, tuple[str, str]] = {}
    found = {}
    for module in MODULES:
        path, loaded = _path(module), _load(module)
        summary = (loaded.__doc__ or "").strip().partition("\n\n")[0]
        text = [f"# `{path}`", " ".join(summary.split())]
        own, elsewhere = [], []
        for name in names(module):
            value = getattr(loaded, name)
            home = homes.get(id(value))
            if home is None or not _has_identity(value):
                homes[id(value)] = (module, name)
                own.append(f"::: {path}.{name}")
            else:
                elsewhere.append(f"[`{name}`][{_path(home[0])}.{home[1]}]")
        if elsewhere:
            text.append(f"Also here: {', '.join(elsewhere)}.")
        found[f"python/{module or 'twindex'}.md"] = "\n\n".join([*text, *own]) + "\n"
    return found | {f"python/{module}.md": _adapter(module) for module in ADAPTERS}


def _adapter(module: str) -> str:
    """Return the page of a sub-package that needs a framework."""
    file = Path(twindex.__file__).parent.joinpath(*module.split("."), "__init__.py")
    tree = ast.parse(file.read_text(encoding="utf-8"))
    summary = " ".join((ast.get_docstring(tree) or "").partition("\n\n")[0].split())
    (public,) = (
        ast.literal_eval(one.value)
        for one in tree.body
        if isinstance(one, ast.Assign) and ast.unparse(one.targets[0]) == "__all__"
    )
    path = _path(module)
    guide = module.rpartition(".")[2].replace("_", "-")
    more = f"[How to use it](../../interfaces/{guide}.md)."
    text = [f"# `{path}`", f"{summary} {more}", *(f"::: {path}.{name}" for name in sorted(public))]
    return "\n\n".join(text) + "\n"


def explained() -> set[str]:
    """Names of module-level values that have a docstring, in any module of the package."""
    found = set()
    for path in _files():
        body = ast.parse(path.read_text(encoding="utf-8")).body
        for one, after in pairwise(body):
            names = one.targets if isinstance(one, ast.Assign) else [getattr(one, "target", None)]
            docstring = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            found |= {name.id for name in names if docstring and isinstance(name, ast.Name)}
    return found


def _files() -> Iterator[Path]:
    root = Path(twindex.__file__).parent
    for module in root.glob("*/__init__.py"):
        yield from module.parent.rglob("*.py")


def _path(module: str) -> str:
    return f"twindex.{module}" if module else "twindex"


def _load(module: str) -> object:
    return import_module(_path(module))


def _has_identity(value: object) -> bool:
    return callable(value) or isinstance(value, type)
