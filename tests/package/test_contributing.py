"""The files and targets that CONTRIBUTING.md names exist, and its quick commands run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import twindex
from twindex.api.cli.main import main

from ..house import HOUSE

PAGES = ("CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md")
CONTRIBUTING = (HOUSE / "CONTRIBUTING.md").read_text()
COMMANDS = [
    line
    for block in re.findall(r"^```sh\n(.*?)^```", CONTRIBUTING, re.DOTALL | re.MULTILINE)
    for line in block.splitlines()
]
ELSEWHERE = {"make", "source", "pre-commit", ".ci/build-distributions", ".ci/check-distributions"}
"""First words of commands that change the environment or take minutes."""
QUICK = list(dict.fromkeys(c for c in COMMANDS if c.split()[0] not in ELSEWHERE))


def anchors(page: str) -> set[str]:
    """Return the link fragments of the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_links_have_targets(page):
    for link in re.findall(r"\]\(([^)]+)\)", (HOUSE / page).read_text()):
        file, _, fragment = link.partition("#")
        target = HOUSE / file if file else HOUSE / page
        assert target.exists(), link
        if fragment:
            assert fragment in anchors(target.read_text()), link


def test_named_files_exist():
    for name in re.findall(r"`((?:[\w.-]+/)+[\w.-]*)`", CONTRIBUTING):
        assert (HOUSE / name).exists(), name


def test_named_make_targets_exist():
    makefile = (HOUSE / "Makefile").read_text()
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", CONTRIBUTING, re.MULTILINE))
    assert {"setup", "lint", "types", "test", "test-all", "format"} <= named
    assert named <= set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))


def test_named_scripts_are_executable():
    for command in COMMANDS:
        if command.startswith(".ci/"):
            assert os.access(HOUSE / shlex.split(command)[0], os.X_OK), command


@pytest.mark.slow
@pytest.mark.parametrize("command", QUICK)
def test_quick_commands_run(command, tmp_path, monkeypatch, capsys):
    program, *arguments = shlex.split(command)
    if program == "twindex":
        run_twindex(arguments, tmp_path, monkeypatch)
        assert capsys.readouterr().out
        return
    if program == "pytest":
        arguments += ["-p", "no:cacheprovider", "--basetemp", str(tmp_path / "inner")]
    elif program == "ruff":
        arguments += ["--no-cache"]
    done = subprocess.run(
        [sys.executable, "-m", program, *arguments], cwd=HOUSE, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def run_twindex(arguments: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run `twindex` in a folder that contains a collection `my-index`."""
    monkeypatch.chdir(folder)
    (folder / "kiwi.md").write_text("The kiwi cannot fly.")
    build = ["build", "my-index", "--documents", "kiwi.md", "--dense", "none", "--sparse", "none"]
    assert main([*build, "--quiet"]) == 0
    if arguments == ["--version"]:
        with pytest.raises(SystemExit) as left:
            main(arguments)
        assert left.value.code == 0
    else:
        assert main(arguments) == 0


def test_package_and_client_have_equal_versions():
    client = tomllib.loads((HOUSE / "clients" / "python" / "pyproject.toml").read_text())
    assert client["project"]["version"] == twindex.__version__
    assert f"## {twindex.__version__}" in (HOUSE / "CHANGELOG.md").read_text()


def test_quick_commands_cover_all_programs():
    assert {command.split()[0] for command in QUICK} == {"twindex", "pytest", "ruff"}


def test_pull_request_template_matches_the_page():
    template = (HOUSE / ".github" / "PULL_REQUEST_TEMPLATE.md").read_text()
    assert template.count("- [ ] ") >= 4
    for name in ("make test", "CHANGELOG.md"):
        assert name in template
        assert name in CONTRIBUTING
