"""Workflows, forms, hooks, the container and scripts are valid."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from ..house import HOUSE, ROOMS

GITHUB = HOUSE / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS = sorted(p for p in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if p.name != "config.yml")
SCHEMAS = {
    "vendor.github-workflows": WORKFLOWS,
    "vendor.github-issue-forms": FORMS,
    "vendor.github-issue-config": [GITHUB / "ISSUE_TEMPLATE" / "config.yml"],
    "vendor.dependabot": [GITHUB / "dependabot.yml"],
    "vendor.compose-spec": [HOUSE / "compose.yaml"],
}


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def name(path: Path) -> str:
    return path.name


def steps(workflow: Any) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_files_follow_their_schema(schema, tool):
    assert SCHEMAS[schema]
    tool("check-jsonschema", "--builtin-schema", schema, *SCHEMAS[schema])


def test_workflows_have_no_known_weakness(tool):
    tool("zizmor", "--offline", "--pedantic", "--collect", "all", "--no-progress", ".")


def test_dockerfile_passes_hadolint(tool):
    tool("hadolint", "Dockerfile")


def test_hooks_are_valid(tool):
    tool("pre-commit", "validate-config", ".pre-commit-config.yaml")


def test_hooks_run_commands_of_the_makefile():
    targets = re.findall(r"^([a-z-]+):", (HOUSE / "Makefile").read_text(), re.MULTILINE)
    hooks = [
        hook for repo in read(HOUSE / ".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]
    ]
    assert [hook["entry"] for hook in hooks] == ["make lint", "make types"]
    assert {hook["entry"].split()[1] for hook in hooks} <= {*targets}
    assert {hook["language"] for hook in hooks} == {"system"}


def test_no_file_has_marks_of_an_unfinished_merge():
    every = [path for room in [*ROOMS, "tests", "docs", "benchmarks"] for path in
             (HOUSE / room).rglob("*.*") if path.suffix in (".py", ".md")]  # fmt: skip
    mark = re.compile(r"^\s*(?:<{7}|>{7}) ", re.MULTILINE)
    assert [path for path in every if mark.search(path.read_text(encoding="utf-8"))] == []


def test_types_of_every_room_are_checked():
    (rooms,) = re.findall(r"^ROOMS := (.*)$", (HOUSE / "Makefile").read_text(), re.MULTILINE)
    assert rooms.split() == list(ROOMS)


def test_no_room_imports_a_module_whose_types_are_not_read():
    overrides = tomllib.loads((HOUSE / "pyproject.toml").read_text())["tool"]["mypy"]["overrides"]
    followed = {one.get("follow_imports"): one["module"] for one in overrides}
    assert followed["normal"] == ["transformers.models", "transformers.models.auto.*"]
    skipped = tuple(pattern.removesuffix(".*") for pattern in followed["skip"])
    imported = {}
    for path in (path for room in ROOMS for path in (HOUSE / room).rglob("*.py")):
        text = path.read_text()
        if not any(name.rpartition(".")[2] in text for name in skipped):
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                imported.update({alias.name: path for alias in node.names})
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                imported.update({f"{node.module}.{alias.name}": path for alias in node.names})
    of_auto = tuple(pattern.removesuffix(".*") for pattern in followed["normal"][1:])
    assert {
        name: path
        for name, path in imported.items()
        if not name.startswith(of_auto) and any(f"{name}.".startswith(f"{one}.") for one in skipped)
    } == {}


def test_shell_scripts_are_sound(tool):
    scripts = [
        p for p in (HOUSE / ".ci").iterdir() if p.read_text().startswith("#!/usr/bin/env bash")
    ]
    assert len(scripts) >= 3
    tool("shellcheck", *scripts)


@pytest.mark.parametrize("path", WORKFLOWS, ids=name)
def test_shell_in_workflows_is_sound(path, tool):
    scripts = [step["run"] for step in steps(read(path)) if "run" in step]
    assert scripts
    for script in scripts:
        assert "${{" not in script, "pass values as variables: a value could be code"
        tool("shellcheck", "--shell", "bash", "-", text=f"set -eo pipefail\n{script}")


@pytest.mark.parametrize("path", WORKFLOWS, ids=name)
def test_workflow_has_few_rights_and_pinned_actions(path):
    workflow = read(path)
    assert workflow["permissions"] == {}
    assert workflow["concurrency"]["group"]
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 360
        assert job["permissions"] in ({"contents": "read"}, {"id-token": "write"})
    used = re.findall(r"uses: (.*)", path.read_text())
    assert len(used) == sum("uses" in step for step in steps(workflow))
    for action in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


def test_each_action_has_one_version():
    used = {use for path in WORKFLOWS for use in re.findall(r"uses: (.*)", path.read_text())}
    assert len(used) == len({use.partition("@")[0] for use in used})


def test_ci_covers_the_supported_platforms_and_versions():
    job = read(GITHUB / "workflows" / "ci.yml")["jobs"]["test"]
    systems = {system.partition("-")[0] for system in job["strategy"]["matrix"]["os"]}
    assert systems == {"ubuntu", "macos"}
    classifiers = (HOUSE / "pyproject.toml").read_text()
    versions = re.findall(r"Python :: (3\.\d+)\"", classifiers)
    assert job["strategy"]["matrix"]["python"] == versions
    assert job["steps"][-1]["run"] == "make test"


def test_ci_builds_the_site_on_each_push():
    job = read(GITHUB / "workflows" / "ci.yml")["jobs"]["site"]
    assert job["steps"][-1]["run"] == "make docs"
    assert "mkdocs build --strict" in (HOUSE / "Makefile").read_text()


def test_only_the_publishing_job_gets_an_index_token():
    jobs = read(GITHUB / "workflows" / "release.yml")["jobs"]
    rights = {name: job for name, job in jobs.items() if "id-token" in job["permissions"]}
    assert [*rights] == ["publish"]
    assert rights["publish"]["environment"] == "pypi"
    assert not any("run" in step for step in rights["publish"]["steps"])
    assert "secrets." not in (GITHUB / "workflows" / "release.yml").read_text()


def test_bug_form_requires_the_needed_fields():
    fields = {
        field.get("id"): field for field in read(GITHUB / "ISSUE_TEMPLATE" / "bug.yml")["body"]
    }
    for required in ("version", "platform", "command", "expected", "got"):
        assert fields[required]["validations"]["required"]
    assert "twindex info --json" in fields["info"]["attributes"]["description"]
