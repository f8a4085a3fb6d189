"""The examples of other languages and of official clients run against a server process."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from ..house import HOUSE, served
from .conftest import Run

EXAMPLES = HOUSE / "examples"
KIWI = "It lives in New Zealand."


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of `twindex serve` in a separate process."""
    with served(tmp_path_factory.mktemp("service")) as address:
        yield address


def needs_package(name: str) -> None:
    if find_spec(name) is None:
        pytest.skip(f"needs the package {name}: pip install {name}")


def needs_program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"needs the program {name}")
    return found


def output(command: list[str], folder: Path) -> str:
    """Return what a command prints."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "NO_UPDATE_NOTIFIER": "1"},
        capture_output=True,
        encoding="utf-8",
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_openai_client_prints_sources_and_a_stream(run: Run, service: str) -> None:
    needs_package("openai")
    lines = run("openai_client.py", service).splitlines()
    assert lines[0].startswith(KIWI)
    assert re.fullmatch(rf"  kiwi: {re.escape(service)}/document\?.*id=kiwi.*", lines[1])
    assert lines[-2] == lines[0]
    assert lines[-1] == "2 embeddings, 64 dimensions"


def test_cohere_client_cites_the_given_documents(run: Run, service: str) -> None:
    needs_package("cohere")
    lines = run("cohere_client.py", service).splitlines()
    assert lines[0].startswith("The kiwi lives in New Zealand.")
    assert lines[1] == "  The kiwi lives in New Zealand. ['kiwi']"
    assert re.fullmatch(r"\[(-?\d+, ){3}-?\d+\]", lines[-1])


def test_curl_prints_an_answer_and_its_chunks(service: str, tmp_path: Path) -> None:
    needs_program("curl")
    bash = needs_program("bash")
    printed = output([bash, str(EXAMPLES / "curl.sh"), service], tmp_path)
    assert '"id":"kiwi"' in printed
    assert KIWI in printed
    assert "data: [DONE]" in printed


def test_fetch_prints_cited_statements(service: str, tmp_path: Path) -> None:
    node = needs_program("node")
    script = EXAMPLES / "javascript" / "fetch.mjs"
    lines = output([node, str(script), service], tmp_path).splitlines()
    assert lines[0] == "kiwi Kiwi"
    assert lines[1].startswith(KIWI)
    assert lines[2] == f"  {KIWI} <- kiwi"


@pytest.mark.slow
def test_a_typescript_client_is_generated_from_the_document(service: str, tmp_path: Path) -> None:
    node, npm, npx = map(needs_program, ("node", "npm", "npx"))
    folder = tmp_path / "javascript"
    shutil.copytree(
        EXAMPLES / "javascript", folder, ignore=shutil.ignore_patterns("node_modules", "build")
    )
    install = [npm, "install", "--no-audit", "--no-fund"]
    done = subprocess.run(install, cwd=folder, capture_output=True, text=True, timeout=600)
    if done.returncode:
        pytest.skip(f"npm cannot install the packages: {done.stderr[-200:]}")
    document = f"{service}/openapi.json"
    output([npm, "run", "generate", "--", document], folder)
    output([npx, "tsc"], folder)
    lines = output([node, "build/typed.js", service], folder).splitlines()
    assert lines[:2] == ["kiwi Kiwi", KIWI]
    assert lines[2].startswith("limit: must be ")
