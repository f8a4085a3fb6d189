"""Run the code blocks of a documentation page, in order, in one folder.

    ```sh                       bash -euo pipefail
    ```python                   Python; all blocks of a page share one namespace
    ```LANGUAGE title="FILE"    is written to FILE
    ```text title="Output"      the output of the block before it; `...` matches anything

`twindex`, `python` and `pip` are on the PATH. `pip install .` installs into a folder of the page.
Standard error is not compared. Ports 8080 and 8081 are replaced by free ports. Background programs
of a block are killed at the end of the page.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_BLOCK = re.compile(
    r"^( *)```(\w*)(?: title=\"([^\"]*)\")?\n(.*?)^\1```$", re.MULTILINE | re.DOTALL
)
_PROGRAM = """
import sys
from types import ModuleType

page = sys.modules["page"] = ModuleType("page")
sys.path.insert(0, "")
for line in sys.stdin:
    name, end = line.split()
    with open(name) as file:
        exec(compile(file.read(), name, "exec"), vars(page))
    print(end, flush=True)
"""


@dataclass(frozen=True)
class Block:
    """A code block of a page. line: number of its first line of code."""

    language: str
    title: str | None
    code: str
    line: int


def blocks(text: str) -> Iterator[Block]:
    """Yield the code blocks of a page, in order."""
    for found in _BLOCK.finditer(text):
        indent, language, title, code = found.groups()
        code = "".join(line.removeprefix(indent) for line in code.splitlines(keepends=True))
        yield Block(language, title, code, text.count("\n", 0, found.start(4)) + 1)


def run(page: Path, folder: Path, environment: dict[str, str] | None = None) -> None:
    """Run every block of `page` in the empty `folder`. Raises AssertionError for a failed block."""
    with _Runner(folder, environment or {}) as runner:
        for block in blocks(page.read_text(encoding="utf-8")):
            try:
                runner.run(block)
            except AssertionError as error:
                raise AssertionError(f"{page.name}, line {block.line}: {error}") from None


def matches(expected: str, printed: str) -> bool:
    """Return True if `printed` matches `expected`. Spaces at the ends of lines are ignored."""
    lines = [line.rstrip() for line in expected.strip().splitlines()]
    pattern = re.escape("\n".join(lines)).replace(r"\.\.\.", ".*?")
    shown = "\n".join(line.rstrip() for line in printed.strip().splitlines())
    return re.fullmatch(pattern, shown, re.DOTALL) is not None


class _Runner:
    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._folder = folder / "page"
        self._folder.mkdir()
        programs = folder / "bin"
        programs.mkdir()
        python = shlex.quote(sys.executable)
        modules = {"python": "", "twindex": "-m twindex.api.cli.main", "pip": "-m pip"}
        for name, module in modules.items():
            program = programs / name
            program.write_text(f'#!/bin/sh\nexec {python} {module} "$@"\n')
            program.chmod(0o755)
        path = f"{programs}{os.pathsep}{os.environ['PATH']}"
        installed = str(folder / "installed")
        self._environment = {
            **os.environ,
            "PATH": path,
            "COLUMNS": "100",
            "PYTHONPATH": os.pathsep.join([installed, os.environ.get("PYTHONPATH", "")]),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PIP_TARGET": installed,
            "PIP_NO_INDEX": "1",
            "PIP_NO_DEPS": "1",
            "PIP_NO_BUILD_ISOLATION": "0",  # pip reads this variable as the positive option.
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            **environment,
        }
        with socket.socket() as first, socket.socket() as second:
            for free in (first, second):
                free.bind(("127.0.0.1", 0))
            self._ports = {
                "8080": str(first.getsockname()[1]),
                "8081": str(second.getsockname()[1]),
            }
        self._groups: list[int] = []
        self._output = folder / "output"
        self._printed = ""
        self._python: subprocess.Popen[str] | None = None

    def __enter__(self) -> _Runner:
        return self

    def __exit__(self, *_: object) -> None:
        for group in self._groups:
            try:
                os.killpg(group, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if self._python is not None:
            self._python.communicate()

    def run(self, block: Block) -> None:
        code = re.sub("808[01]", lambda port: self._ports[port[0]], block.code)
        if block.title == "Output":
            assert matches(code, self._printed), f"printed\n{self._printed}\nand not\n{code}"
        elif block.title is not None:
            path = self._folder / block.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(code, encoding="utf-8")
        elif block.language == "sh":
            self._sh(code)
        elif block.language == "python":
            self._exec(code, block.line)

    def _sh(self, code: str) -> None:
        with self._output.open("w") as output:
            started = self._start(["bash", "-euo", "pipefail", "-c", code], output)
            status = started.wait(timeout=240)
        self._printed = self._output.read_text()
        assert status == 0, (
            f"exit status {status}\n{self._printed}{_errors(self._output).read_text()}"
        )

    def _exec(self, code: str, line: int) -> None:
        if self._python is None:
            with self._output.with_suffix(".python").open("w") as output:
                self._python = self._start(
                    [sys.executable, "-c", _PROGRAM], output, subprocess.PIPE
                )
        name, end = self._folder.parent / f"line-{line}.py", f"--end-of-{line}--"
        name.write_text(code, encoding="utf-8")
        assert self._python.stdin is not None
        self._python.stdin.write(f"{name} {end}\n")
        self._python.stdin.flush()
        output = self._output.with_suffix(".python")
        while end not in output.read_text():
            try:
                self._python.wait(timeout=0.05)
            except subprocess.TimeoutExpired:
                continue
            break
        parts = re.split(r"--end-of-\d+--\n", output.read_text())
        status = self._python.poll()
        assert status is None, f"exit status {status}\n{parts[-1]}{_errors(output).read_text()}"
        self._printed = parts[-2]

    def _start(
        self, command: list[str], output: IO[str], given: int | None = None
    ) -> subprocess.Popen[str]:
        with _errors(Path(output.name)).open("w") as errors:
            started = subprocess.Popen(
                command,
                cwd=self._folder,
                env=self._environment,
                stdin=given or subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
        self._groups.append(started.pid)
        return started


def _errors(output: Path) -> Path:
    """The file for the standard error of the program that writes `output`."""
    return output.with_name(f"{output.name}.errors")
