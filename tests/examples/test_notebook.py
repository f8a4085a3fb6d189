"""The notebook runs from its first cell to its last."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ..house import HOUSE

EXECUTE = """
import json, sys
import nbclient, nbformat

notebook = nbformat.read(sys.argv[1], as_version=4)
nbformat.validate(notebook)
nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
json.dump([cell.get("outputs", []) for cell in notebook.cells], sys.stdout)
"""


def outputs(name: str, folder: Path) -> list[dict[str, Any]]:
    """The values of the last expressions of the cells, by MIME type."""
    own = {key: str(folder / key) for key in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR")}
    done = subprocess.run(
        [sys.executable, "-c", EXECUTE, str(HOUSE / "examples" / name)],
        cwd=folder,
        env={**os.environ, **own, "JUPYTER_PLATFORM_DIRS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    found = [output for cell in json.loads(done.stdout) for output in cell]
    return [output["data"] for output in found if output["output_type"] == "execute_result"]


@pytest.mark.slow
def test_first_steps_show_tables_frames_and_explanations(tmp_path: Path) -> None:
    for name in ("nbclient", "ipykernel", "pandas"):
        pytest.importorskip(name, reason=f"{name} is not installed: pip install '.[dev]'")
    shown = outputs("first_steps.ipynb", tmp_path)
    assert shown[2]["text/html"].startswith("<p>4 of 4 documents")
    assert "lexical_rank" in shown[3]["text/html"]
    assert shown[4]["text/plain"].startswith("SearchResult: 1 of 1 documents")
    assert {*ast.literal_eval(shown[5]["text/plain"])} == {"dense", "sparse", "lexical"}
    assert "bird" in shown[6]["text/plain"]
