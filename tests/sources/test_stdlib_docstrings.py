"""Reading the docstrings of the standard library, which the demonstration indexes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from twindex.core import SourceError
from twindex.sources import parse_document, read_stdlib_docstrings

MODULE = '''"""The module, described at length."""
def plain(a, b=1, /, *args, c: int = 2, _private=3, **rest):
    """A function that is documented."""
def _hidden(): "A function nobody should find."
def short(): "Too short."
def again(): "A function that is documented."
class Thing:
    """A class that is documented."""
    @property
    def size(self): "A property that is documented."
    @classmethod
    async def make(cls, /, x): "A method that is documented."
if True:
    def branch(*, key): "A function below a condition."
else:
    def branch(other): "The same function, elsewhere."
'''


@pytest.mark.slow
def test_about_three_thousand_distinct_documents() -> None:
    documents = list(read_stdlib_docstrings())
    assert 2_500 < len(documents) < 3_500
    assert len({document.id for document in documents}) == len(documents)
    assert len({document.text for document in documents}) == len(documents)
    join = next(document for document in documents if document.id == "os.path.join")
    assert join.title == "os.path.join(a, *p)"
    assert join.metadata["kind"] == "function"
    for document in documents:
        parse_document({"id": document.id, "text": document.text, "metadata": document.metadata})


def test_public_definitions_of_a_module_are_read(tmp_path: Path) -> None:
    (tmp_path / "json" / "tests").mkdir(parents=True)
    (tmp_path / "json" / "__init__.py").write_text(MODULE)
    (tmp_path / "json" / "_private.py").write_text('"""A private module, to be left out."""')
    (tmp_path / "json" / "tests" / "a.py").write_text('"""A test module, to be left out."""')
    (tmp_path / "antigravity.py").write_text('"""A module that is not in the list."""')
    (tmp_path / "abc.py").write_text("")
    found = {d.title: (d.id, d.metadata["kind"]) for d in read_stdlib_docstrings(tmp_path)}
    assert found == {
        "json": ("json", "module"),
        "json.plain(a, b, /, *args, c, **rest)": ("json.plain", "function"),
        "json.Thing": ("json.Thing", "class"),
        "json.Thing.size": ("json.Thing.size", "property"),
        "json.Thing.make(x)": ("json.Thing.make", "method"),
        "json.branch(*, key)": ("json.branch", "function"),
    }


def test_library_is_not_imported() -> None:
    code = (
        "import sys, twindex.sources as s; before = set(sys.modules);"
        "list(s.read_stdlib_docstrings()); print(sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_missing_sources_raise_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="source files of the standard library"):
        list(read_stdlib_docstrings(tmp_path))
