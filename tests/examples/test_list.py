"""The list of examples, and the rules that all examples follow."""

from __future__ import annotations

import ast
import json
import re
import runpy
from pathlib import Path

import pytest

from ..house import HOUSE

EXAMPLES = HOUSE / "examples"
SCRIPTS = sorted(EXAMPLES.glob("*.py"))
OTHERS = ("curl.sh", "javascript/")
"""Examples in other languages."""
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))
TESTS = Path(__file__).parent


def test_the_list_names_exactly_the_examples() -> None:
    rows = re.findall(
        r"^\| \[(.+?)\]\((.+?)\) \| (.+) \|$", (EXAMPLES / "README.md").read_text(), re.M
    )
    assert all(name == link for name, link, _ in rows)
    names = [*(p.name for p in (*SCRIPTS, *NOTEBOOKS)), *OTHERS]
    assert sorted(name for name, _, _ in rows) == sorted(names)
    assert {*EXAMPLES.iterdir()} - {EXAMPLES / "__pycache__"} == {
        *SCRIPTS,
        *NOTEBOOKS,
        EXAMPLES / "README.md",
        *(EXAMPLES / name for name in OTHERS),
    }


def test_every_example_has_a_test() -> None:
    tested = "".join(path.read_text() for path in sorted(TESTS.glob("test_*.py")))
    assert [p.name for p in (*SCRIPTS, *NOTEBOOKS) if f'"{p.name}"' not in tested] == []


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_short_and_documents_its_output(script: Path) -> None:
    source = script.read_text()
    assert len(source.splitlines()) < 60
    said = ast.get_docstring(ast.parse(source)) or ""
    for word in ("Shows: ", "Needs: ", "Prints: "):
        assert f"\n{word}" in said, word
    assert f"\n    python examples/{script.name}" in said


def test_scripts_document_their_arguments(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asking = [script for script in SCRIPTS if "ArgumentParser" in script.read_text()]
    assert len(asking) >= 7
    for script in asking:
        monkeypatch.setattr("sys.argv", [str(script), "--help"])
        with pytest.raises(SystemExit) as end:
            runpy.run_path(str(script), run_name="__main__")
        assert not end.value.code, script
        assert f"usage: {script.name} [-h]" in capsys.readouterr().out


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_stored_without_outputs(notebook: Path) -> None:
    for cell in json.loads(notebook.read_text())["cells"]:
        assert cell["metadata"] == {}
        if cell["cell_type"] == "code":
            assert (cell["execution_count"], cell["outputs"]) == (None, [])
