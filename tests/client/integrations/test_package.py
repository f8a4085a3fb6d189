"""What the adapters import: nothing without their framework, and no network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ...house import HOUSE

ADAPTERS = {
    "langchain": ("langchain_core", "langchain-core"),
    "llama_index": ("llama_index", "llama-index-core"),
    "haystack": ("haystack", "haystack-ai"),
}
"""Adapter -> module and package of its framework."""

WITHOUT = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {module!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
import twindex
try:
    import twindex.integrations.{adapter}
except twindex.MissingExtraError as error:
    print(error)
"""

OFFLINE = """
import socket, sys

def refuse(*given, **options):
    raise AssertionError(f"opens a connection: {{given}}")

socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
import {package}.integrations.{adapter}
heavy = {{"torch", "faiss", "numba", "scipy", "fastapi"}} & set(sys.modules)
print(sorted(heavy - set({allowed!r})))
"""


def run(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_a_missing_framework_is_named_with_its_extra(adapter):
    module, package = ADAPTERS[adapter]
    extra = adapter.replace("_", "-")
    assert run(WITHOUT.format(module=module, adapter=adapter)) == (
        f"{package} is not installed: pip install 'twindex[{extra}]'"
    )


ALLOWED = {"haystack": ["torch"]}
"""Modules that a framework itself imports if they are installed."""


@pytest.mark.slow
@pytest.mark.parametrize("adapter", ADAPTERS)
def test_an_import_opens_no_connection_and_loads_no_model_library(adapter, tmp_path):
    allowed = ALLOWED.get(adapter, [])
    code = OFFLINE.format(package="twindex", adapter=adapter, allowed=allowed)
    assert run(code, HOME=str(tmp_path)) == "[]"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("adapter", ADAPTERS)
def test_the_adapters_work_with_the_client_alone(adapter, tmp_path):
    clients = HOUSE / "clients" / "python"
    shutil.copytree(clients / "twindex_client", tmp_path / "twindex_client")
    names = re.search(r"SHARED = \((.*?)\)", (clients / "hatch_build.py").read_text(), re.DOTALL)
    assert names is not None
    for name in re.findall(r'"(.+?)"', names[1]):
        target = tmp_path / "twindex_client" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if Path(HOUSE / name).is_dir():
            shutil.copytree(HOUSE / name, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(HOUSE / name, target)
    allowed = ["torch", "scipy"] if adapter == "haystack" else []
    code = OFFLINE.format(package="twindex_client", adapter=adapter, allowed=allowed)
    code += "assert 'twindex' not in sys.modules\n"
    if adapter == "haystack":
        code += (
            "import twindex_client\n"
            "from twindex_client.integrations.haystack import *\n"
            "for made in (lambda: TwindexDocumentStore('x').collection,\n"
            "             lambda: TwindexRanker('fake').warm_up()):\n"
            "    try:\n        made()\n"
            "    except twindex_client.MissingExtraError as error:\n        print(error)\n"
        )
    printed = run(code, PYTHONPATH=str(tmp_path), HOME=str(tmp_path)).splitlines()
    assert printed[0] == "[]"
    if adapter == "haystack":
        assert printed[1:] == [
            f"twindex with local {what} is not installed: pip install 'twindex[haystack]'"
            for what in ("collections", "rerankers")
        ]
