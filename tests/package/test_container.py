"""The steps, the command and the health check of the container, tested without a container."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
import yaml

from twindex.core import ModelError
from twindex.llm import find_weights

from ..house import HOUSE

DOCKER = HOUSE / ".docker"
TWINDEX = "import sys; from twindex.api.cli.main import main; sys.exit(main())"
KEY = "a key of this test"
PATIENCE = 120
"""Seconds to wait for a reply. On a machine with much other work, a first search takes a minute."""


def instructions() -> list[tuple[str, str]]:
    """Return (instruction, argument) pairs of the Dockerfile, without comments."""
    lines = [x for x in (HOUSE / "Dockerfile").read_text().splitlines() if not x.startswith("#")]
    text = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(words[0], words[2]) for line in text.splitlines() if (words := line.partition(" "))[0]]


def last(instruction: str) -> Any:
    """Return the argument of the last instruction with this name; a list if it is in exec form."""
    argument = [value for name, value in instructions() if name == instruction][-1]
    argument = argument[argument.index("CMD ") + 4 :] if instruction == "HEALTHCHECK" else argument
    return json.loads(argument) if argument.startswith("[") else argument


def variables() -> dict[str, str]:
    """Return the environment of the final stage, without PATH."""
    pairs = dict(pair.split("=", 1) for pair in shlex.split(last("ENV")))
    return {name: value for name, value in pairs.items() if name != "PATH"}


def service() -> dict[str, Any]:
    (found,) = yaml.safe_load((HOUSE / "compose.yaml").read_text())["services"].values()
    return found


@contextmanager
def container(folder: Path, key: str | None) -> Iterator[str]:
    """Run the container's command on `folder`/data with its variables, and yield the address."""
    (folder / "data").mkdir()
    (folder / "cache").mkdir(mode=0o700)
    environment = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    environment |= variables() | {"TWINDEX_CACHE": str(folder / "cache")}
    if key:
        environment["TWINDEX_API_KEY"] = key
    arguments = [str(folder / "data") if word == "/data" else word for word in last("CMD")]
    command = [sys.executable, "-c", TWINDEX, *arguments, "--port", "0"]
    log = folder / "log"
    with log.open("w") as written:
        server = subprocess.Popen(command, env=environment, cwd=folder, stderr=written)
    try:
        while not (found := re.search(r"http://0\.0\.0\.0:(\d+)", log.read_text())):
            assert server.poll() is None, log.read_text()
            time.sleep(0.02)
        yield f"http://127.0.0.1:{found.group(1)}"
    finally:
        server.send_signal(signal.SIGTERM)
        status = server.wait(PATIENCE)
    assert status in (0, -signal.SIGTERM), log.read_text()
    assert all(json.loads(line) for line in log.read_text().splitlines())


def health(address: str, key: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run the health check of the image with another address."""
    python, script = last("HEALTHCHECK")
    assert (python, script) == ("python", "/opt/twindex/health.py")
    environment = {"TWINDEX_API_KEY": key} if key else {}
    command = [sys.executable, str(DOCKER / Path(script).name), address]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=PATIENCE
    )


def wait_until_healthy(address: str, key: str | None = None) -> None:
    with httpx.Client(base_url=address, timeout=PATIENCE) as client:
        while client.get("/readyz").status_code != 200:
            time.sleep(0.02)
    checked = patient_health(address, key)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert json.loads(checked.stdout)["status"] == "ok"


def patient_health(address: str, key: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run the health check, and again while the server does not answer within its few seconds."""
    deadline = time.monotonic() + PATIENCE
    while (checked := health(address, key)).returncode and time.monotonic() < deadline:
        assert "does not answer" in checked.stdout, checked.stdout + checked.stderr
    return checked


def test_command_serves_with_a_key_and_is_healthy(tmp_path):
    with container(tmp_path, KEY) as address:
        wait_until_healthy(address, KEY)
        without_key = patient_health(address)
        assert (without_key.returncode, json.loads(without_key.stdout)["status"]) == (0, "ok")
        headers = {"api-key": KEY}
        config = {"legs": {"lexical": {"kind": "lexical"}}}
        url = f"{address}/v1/collections"
        with httpx.Client(base_url=url, headers=headers, timeout=PATIENCE) as client:
            assert client.put("/birds", json=config).status_code == 201
            kiwi = {"text": "The kiwi cannot fly."}
            assert client.put("/birds/documents/kiwi", json=kiwi).status_code == 201
            found = client.post("/birds/search", json={"query": "kiwi"}).json()
            assert found["hits"][0]["id"] == "kiwi"
        assert httpx.get(f"{address}/v1/info", timeout=PATIENCE).status_code == 401
    assert (tmp_path / "data" / "birds").is_dir()


@pytest.mark.slow
def test_search_step_of_the_workflow_succeeds(tmp_path):
    """The search step of ci.yml succeeds with the container's command."""
    if shutil.which("curl") is None:
        pytest.skip("needs curl (Debian: apt-get install curl)")
    for model in ("all-MiniLM-L6-v2", "splade-tiny"):
        try:
            find_weights(model)
        except ModelError as error:
            pytest.skip(f"needs the default models: {error}")
    jobs = yaml.safe_load((HOUSE / ".github" / "workflows" / "ci.yml").read_text())["jobs"]
    (script,) = [s["run"] for s in jobs["image"]["steps"] if "/search" in s.get("run", "")]
    with container(tmp_path, KEY) as address:
        wait_until_healthy(address, KEY)
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", script.replace("http://127.0.0.1:8080", address)],
            cwd=tmp_path,
            env={**os.environ, "TWINDEX_API_KEY": KEY},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_loading_or_missing_server_is_unhealthy():
    class Loading(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(503)
            self.end_headers()
            self.wfile.write(b'{"status": "loading"}')

        def log_message(self, *values: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Loading) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        checked = health(f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
    assert (checked.returncode, "loading" in checked.stdout) == (1, True), checked.stderr
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    checked = health(f"http://127.0.0.1:{port}")
    assert (checked.returncode, "does not answer" in checked.stdout) == (1, True), checked.stderr


def test_image_runs_as_an_unprivileged_user():
    assert last("USER") == "10001:10001"
    assert last("VOLUME") == ["/data"]
    assert last("ENTRYPOINT") == ["twindex"]
    assert variables()["HF_HUB_OFFLINE"] == "1"
    options = last("CMD")
    assert options[options.index("--host") + 1] == "0.0.0.0"


def test_image_has_the_dependencies_of_the_package():
    done = subprocess.run(
        [sys.executable, DOCKER / "requirements.py"], cwd=HOUSE, capture_output=True, text=True
    )
    project = tomllib.loads((HOUSE / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    assert done.stdout.splitlines() == [
        *project["dependencies"],
        *extras["gguf"],
        *extras["mcp"],
    ]


def test_prepared_files_are_in_the_cache(tmp_path):
    environment = {**os.environ, "TWINDEX_CACHE": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, DOCKER / "warm.py"], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for line in done.stdout.splitlines():
        name, _, place = line.partition(": ")
        assert Path(place).exists() or name.endswith(" is not in this image"), line


def test_copied_files_exist_and_are_not_ignored():
    patterns = [
        line
        for line in (HOUSE / ".dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]

    def ignored(path: str) -> bool:
        return any(
            fnmatch(path, pattern) or fnmatch(Path(path).name, pattern.removeprefix("**/"))
            for pattern in patterns
            if "/" not in path or pattern.startswith("**/")
        )

    needed = []
    for instruction, argument in instructions():
        words = argument.split()
        if instruction == "COPY" and not argument.startswith("--from"):
            sources = [word for word in words[:-1] if word != "."]
            needed += [path for word in sources for path in HOUSE.glob(word)]
            assert all([*HOUSE.glob(word)] for word in sources), argument
    project = tomllib.loads((HOUSE / "pyproject.toml").read_text())
    packages = project["tool"]["setuptools"]["packages"]
    needed += [HOUSE / name.split(".")[1] for name in packages if "." in name]
    needed += [
        HOUSE / name for name in ("README.md", "LICENSE", "__init__.py", "py.typed", ".package")
    ]
    for path in needed:
        first = path.relative_to(HOUSE).parts[0]
        assert not ignored(first), path
        assert not ignored(path.name), path
    for private in (".git", ".venv", ".env", "twindex.key", "tests", "shared.egg-info"):
        assert ignored(private), private


def test_compose_service_has_few_rights():
    composed = service()
    assert composed["read_only"] is True
    assert composed["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in composed["security_opt"]
    assert composed["tmpfs"] == ["/tmp"]
    assert all(port.startswith("127.0.0.1:") for port in composed["ports"])
    assert composed["environment"]["TWINDEX_API_KEY"].startswith("${TWINDEX_API_KEY:?")
    assert composed["healthcheck"]["test"] == ["CMD", *last("HEALTHCHECK")]
    written = {volume.partition(":")[2] for volume in composed["volumes"]}
    assert written == {*last("VOLUME"), variables()["TWINDEX_CACHE"]}


def test_compose_and_image_have_equal_health_checks():
    (argument,) = [value for name, value in instructions() if name == "HEALTHCHECK"]
    options = dict(re.findall(r"--([\w-]+)=(\w+)", argument))
    composed = service()["healthcheck"]
    assert {name.replace("-", "_"): value for name, value in options.items()} == {
        name: str(value) for name, value in composed.items() if name != "test"
    }
