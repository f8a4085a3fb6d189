"""Trials of promises that take hours: kills, generated requests, random requests of filtered keys.

Runs slow tests in full, and keeps how much they tried. A test that fails ends the run.

1. kills: a server is killed at random moments under mixed load, and what is stored is compared with
   every reply.
2. cases: schemathesis sends requests of every operation of the OpenAPI document.
3. isolation: keys with forced filters send random requests over every interface.

    python benchmarks/run.py trials
    python benchmarks/service/trials.py --minutes 5
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

TESTS = Path(__file__).resolve().parents[2] / "tests" / "api"
PARTS = {
    "kills": TESTS / "faults" / "test_kills.py",
    "cases": TESTS / "http" / "test_openapi_cases.py",
    "isolation": TESTS / "access" / "test_isolation.py",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, help="of each test; default: until it is done")
    parser.add_argument(
        "--reports", type=Path, help="folder of reports; those there are not redone"
    )
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.reports or Path(temporary)
        for name in PARTS:
            if not (folder / f"{name}.xml").exists() and not run(name, folder, arguments.minutes):
                print(f"{name}: failed", file=sys.stderr)
                return 1
        figures = {name: read(folder / f"{name}.xml") for name in PARTS}
    for name, found in figures.items():
        print(name, found)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


def run(name: str, folder: Path, minutes: float | None) -> bool:
    """Run the slow tests of a file, and write their report. Return True if they passed."""
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-m", "slow", str(PARTS[name])]
    command += ["-o", "junit_family=xunit1", "--junitxml", str(folder / f"{name}.xml")]
    if minutes is not None:
        command += ["--minutes", str(minutes)]
    return subprocess.run(command, check=False).returncode == 0


def read(report: Path) -> dict[str, Any]:
    """Return what the tests of a report recorded, summed up, and their minutes."""
    figures: dict[str, float] = {"minutes": 0.0}
    for case in ElementTree.parse(report).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            raise SystemExit(f"{report}: {case.get('name')} failed")
        figures["minutes"] += float(case.get("time", 0)) / 60
        for one in case.iter("property"):
            name = one.get("name", "")
            figures[name] = figures.get(name, 0) + int(one.get("value", 0))
    return figures


if __name__ == "__main__":
    sys.exit(main())
