"""The code of the tutorials, of the how-to pages and of other pages runs."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

import twindex
from twindex.core import ModelError
from twindex.llm import find_weights

from . import pages

DOCS = Path(twindex.__file__).parent / "docs"
RUN = sorted(
    [
        *DOCS.glob("tutorials/*.md"),
        *DOCS.glob("how-to/*.md"),
        *(
            DOCS / "interfaces" / f"{name}.md"
            for name in ("haystack", "http", "langchain", "llama-index")
        ),
        DOCS / "answers.md",
        DOCS / "index.md",
        DOCS / "languages.md",
    ]
)
SLOW = {
    *(
        "aliases.md",
        "backup.md",
        "contribute.md",
        "evaluate.md",
        "index.md",
        "memory.md",
        "migrate.md",
    ),
    *("haystack.md", "langchain.md", "llama-index.md"),
    *("languages.md", "own-vectors.md", "search.md", "sync.md", "encoder.md", "answers.md"),
    *("proxy.md", "keys.md", "http.md"),
}
"""Pages that load models or frameworks, or run many commands."""
MODELS = {"search.md", "index.md"}
"""Pages that need the default models."""
PACKAGES = {"migrate.md": ("chromadb", "qdrant_client")}
"""Page -> packages that it imports. They are large, so nothing else installs them. To run the page:
pip install --target FOLDER chromadb qdrant-client, then set PYTHONPATH=FOLDER."""


PROGRAMS = {"http.md": ("node",)}
"""Page -> programs that it runs, besides bash and those of Twindex."""


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=page.stem, marks=[pytest.mark.slow] * (page.name in SLOW))
        for page in RUN
    ],
)
def test_page_runs(page, tmp_path):
    if page.name in MODELS:
        try:
            find_weights("all-MiniLM-L6-v2")
            find_weights("splade-tiny")
        except ModelError as error:
            pytest.skip(f"needs the default models: {error}")
    if missing := [one for one in PACKAGES.get(page.name, ()) if find_spec(one) is None]:
        pytest.skip(f"needs {' and '.join(missing)}; see PACKAGES")
    if missing := [one for one in PROGRAMS.get(page.name, ()) if shutil.which(one) is None]:
        pytest.skip(f"needs {' and '.join(missing)}")
    pages.run(page, tmp_path)


def test_every_block_runs_or_is_compared():
    for page in RUN:
        for block in pages.blocks(page.read_text(encoding="utf-8")):
            assert block.title or block.language in ("sh", "python"), (page.name, block.line)


def test_failed_block_is_named(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```python\nkiwi = 1\n```\n\n```python\nprint(kiwi)\nassert kiwi == 2\n```\n")
    (tmp_path / "run").mkdir()
    with pytest.raises(AssertionError, match=r"page\.md, line 6: exit status 1\n1(.|\n)*kiwi == 2"):
        pages.run(page, tmp_path / "run")


def test_failed_command_is_named(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```sh\nfalse | true\ntrue\n```\n")
    (tmp_path / "run").mkdir()
    with pytest.raises(AssertionError, match=r"page\.md, line 2: exit status 1"):
        pages.run(page, tmp_path / "run")


def test_different_output_is_named(tmp_path):
    page = tmp_path / "page.md"
    page.write_text('```sh\necho kiwi\n```\n\n```text title="Output"\nemu\n```\n')
    (tmp_path / "run").mkdir()
    with pytest.raises(AssertionError, match="printed\nkiwi\n"):
        pages.run(page, tmp_path / "run")


@pytest.mark.parametrize(
    ("expected", "same"), [("a 1\nb ...\n", True), ("a 1\n...", True), ("a 1", False)]
)
def test_dots_match_anything(expected, same):
    assert pages.matches(expected, "a 1  \nb 2\nc 3\n") is same


def test_proxies_accept_their_files(tmp_path):
    page = (DOCS / "how-to" / "proxy.md").read_text(encoding="utf-8")
    files = {block.title: block.code for block in pages.blocks(page) if block.title}
    for name, code in files.items():
        (tmp_path / name).write_text(code)
    nginx, caddy = shutil.which("nginx") or "/usr/sbin/nginx", shutil.which("caddy")
    if not (caddy and shutil.which("openssl") and Path(nginx).exists()):
        pytest.skip("needs nginx, caddy and openssl")
    certificate = "-newkey rsa:2048 -nodes -days 1 -subj /CN=search.example.org"
    names = "-keyout search.example.org.key -out search.example.org.crt"
    (tmp_path / "nginx.conf").write_text(
        "pid nginx.pid; error_log stderr; events {}\n"
        "http { access_log off; include twindex.conf; include path.conf; }\n"
    )
    for command in (
        f"openssl req -x509 {certificate} {names}",
        f"{nginx} -t -q -p {tmp_path} -c nginx.conf",
        f"{caddy} validate --adapter caddyfile --config Caddyfile",
    ):
        done = subprocess.run(
            shlex.split(command),
            cwd=tmp_path,
            env={**os.environ, "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
