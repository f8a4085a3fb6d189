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


def copy_client(folder: Path) -> None:
    """Make the package `twindex_client` in a folder, as its distribution has it."""
    clients = HOUSE / "clients" / "python"
    shutil.copytree(clients / "twindex_client", folder / "twindex_client")
    names = re.search(r"SHARED = \((.*?)\)", (clients / "hatch_build.py").read_text(), re.DOTALL)
    assert names is not None
    for name in re.findall(r'"(.+?)"', names[1]):
        target = folder / "twindex_client" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if Path(HOUSE / name).is_dir():
            shutil.copytree(HOUSE / name, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(HOUSE / name, target)


SAVED = """
import sys
from pathlib import Path

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "twindex":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
from haystack import Pipeline
saved = Path(sys.argv[1]).read_text()
try:
    Pipeline.loads(saved, allowed_modules=["twindex.integrations.haystack"])
except Exception as error:
    print("twindex.integrations.haystack" in str(error))
saved = saved.replace("twindex.integrations.", "twindex_client.integrations.")
again = Pipeline.loads(saved, allowed_modules=["twindex_client.integrations.haystack"])
print(again.dumps() == saved)
print(again.dumps().replace("twindex_client.integrations.", "twindex.integrations."), end="")
"""


@pytest.mark.slow
def test_a_saved_pipeline_loads_with_the_client_after_its_modules_are_renamed(tmp_path):
    haystack = pytest.importorskip("haystack", reason="haystack-ai is not installed")
    from twindex.integrations.haystack import (
        TwindexDocumentStore,
        TwindexEmbeddingRetriever,
        TwindexRanker,
        TwindexRetriever,
    )

    url = "http://127.0.0.1:9"
    store = TwindexDocumentStore("birds", url=url, embedding_leg="dense")
    pipeline = haystack.Pipeline()
    pipeline.add_component("texts", TwindexRetriever(store, top_k=3))
    pipeline.add_component("vectors", TwindexEmbeddingRetriever(store))
    pipeline.add_component("ranker", TwindexRanker("fast", url=url))
    saved = pipeline.dumps()
    copy_client(tmp_path)
    (tmp_path / "pipeline.yaml").write_text(saved)
    done = subprocess.run(
        [sys.executable, "-c", SAVED, str(tmp_path / "pipeline.yaml")],
        env={**os.environ, "PYTHONPATH": str(tmp_path), "HAYSTACK_TELEMETRY_ENABLED": "False"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"True\nTrue\n{saved}"


@pytest.mark.slow
@pytest.mark.parametrize("adapter", ADAPTERS)
def test_the_adapters_work_with_the_client_alone(adapter, tmp_path):
    copy_client(tmp_path)
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
