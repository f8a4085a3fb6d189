"""Rerankers, generators and rewriters are reloaded while the server runs, all or none."""

from __future__ import annotations

import gc
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from weakref import ref

import pytest

import twindex
from twindex.api.cli.commands.serving.check_config import check
from twindex.api.http.shapes.operations import Reloaded
from twindex.api.serving.access.key_file import FILE_NAME, KeyFile, new_key
from twindex.api.serving.settings import Settings

from ..serving.test_server_process import Server

BIRDS = "/v1/collections/birds"
TWO = '[rerankers.fast]\nkind = "fake"\n\n[rerankers.slow]\nkind = "fake"\nmilliseconds = 20\n'
NEW = '[rerankers.fast]\nkind = "fake"\n\n[rerankers.slow]\nkind = "fake"\nmilliseconds = 5\n'


@pytest.fixture
def files(tmp_path):
    (tmp_path / "data").mkdir()
    rerankers, generators = tmp_path / "rerankers.toml", tmp_path / "generators.toml"
    rerankers.write_text(TWO)
    generators.write_text('[generators.own]\nkind = "extractive"\n')
    return {"rerankers": rerankers, "generators": generators}


@pytest.fixture
def client(serve, tmp_path, files, fake_config):
    client = serve(tmp_path / "data", **files)
    client.put(BIRDS, json=fake_config)
    for name in ("kiwi", "emu"):
        client.put(f"{BIRDS}/documents/{name}", json={"text": f"The {name} cannot fly."})
    return client


def reload(client):
    reply = client.post("/v1/reload")
    assert reply.status_code == 200, reply.text
    return Reloaded.model_validate(reply.json())


def rerank(client, model):
    return client.post(f"{BIRDS}/search", json={"query": "fly", "rerank": {"model": model}})


def test_a_signal_logs_every_error_at_once(client, monkeypatch, caplog):
    reloading = client.app.state.service.reloading

    def fail() -> None:
        raise RuntimeError("no memory on the device")

    with monkeypatch.context() as patch:
        patch.setattr(reloading, "_replace", fail)
        reloading.attempt()
    assert "no memory on the device" in caplog.text
    assert reloading.counts["refused"] == 1
    assert "twindex_last_reload_ok 0.0" in client.get("/metrics").text
    with monkeypatch.context() as patch:
        patch.setattr(reloading, "_loading", lambda: True)
        reloading.attempt()
    assert "the server is still loading" in caplog.text
    reloading.attempt()
    assert reloading.problem is None


def names(client):
    return client.get("/v1/info").json()["models"]


def test_new_changed_and_removed_parts_take_effect_and_others_are_kept(client, files):
    kept = client.app.state.service.preloaded.rerankers.get("fast")
    files["rerankers"].write_text(
        '[rerankers.fast]\nkind = "fake"\n[rerankers.more]\nkind = "fake"\nmilliseconds = 1\n'
    )
    files["generators"].write_text(
        '[generators.own]\nkind = "extractive"\n[generators.other]\nkind = "extractive"\n'
    )
    found = reload(client)
    assert (found.rerankers.added, found.rerankers.removed) == (["more"], ["slow"])
    assert (found.rerankers.kept, found.generators.added) == (["fast"], ["other"])
    assert client.app.state.service.preloaded.rerankers.get("fast") is kept
    assert rerank(client, "more").json()["rerank"]["status"] == "complete"
    assert rerank(client, "slow").status_code == 422
    assert names(client)["rerankers"] == ["fast", "more"]
    assert names(client)["generators"] == ["own", "other", "extractive"]
    assert client.get("/readyz").json()["rerankers"] == {"fast": "ready", "more": "ready"}
    assert reload(client).rerankers.kept == ["fast", "more"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[rerankers.fast\n", "rerankers.toml"),
        ('[rerankers.fast]\nkind = "nothing"\n', "nothing"),
        ('[rerankers.new]\nkind = "cross_encoder"\nmodel = "not-here"\n', "not-here"),
        (None, "rerankers.toml"),
    ],
)
def test_a_wrong_file_changes_nothing_and_is_explained(
    client, files, problem, caplog, text, reason, tmp_path
):
    # The generators are right and read as well: all or none.
    files["generators"].write_text('[generators.other]\nkind = "extractive"\n')
    before = names(client)
    if text is None:
        files["rerankers"].unlink()
    else:
        files["rerankers"].write_text(text)
    details = problem(client.post("/v1/reload"), 409, "conflict")
    assert reason in details.detail
    assert str(tmp_path) not in details.detail
    assert "stay as they are" in caplog.text
    assert names(client) == before
    assert rerank(client, "slow").json()["rerank"]["status"] == "complete"
    metrics = client.get("/metrics").text
    assert "twindex_last_reload_ok 0.0" in metrics
    assert 'twindex_reloads_total{outcome="refused"} 1.0' in metrics
    settings = Settings(**files)
    assert check(tmp_path / "data", settings), "--check-config finds the same problem"
    files["rerankers"].write_text(TWO)
    assert check(tmp_path / "data", settings) == []
    reload(client)
    assert "twindex_last_reload_ok 1.0" in client.get("/metrics").text
    assert names(client)["generators"] == ["other", "extractive"]


def test_a_running_request_ends_with_the_old_part_which_is_then_released(client, files):
    service = client.app.state.service
    files["rerankers"].write_text('[rerankers.slow]\nkind = "fake"\nmilliseconds = 300\n')
    reload(client)
    old = ref(service.preloaded.rerankers.get("slow"))
    replies = []
    thread = threading.Thread(target=lambda: replies.append(rerank(client, "slow")))
    thread.start()
    time.sleep(0.15)
    assert not replies, "the request is still reranked"
    files["rerankers"].write_text(NEW)
    assert reload(client).rerankers.changed == ["slow"]
    assert service.preloaded.rerankers.get("slow") is not old()
    thread.join()
    assert replies[0].json()["rerank"]["status"] == "complete"
    for _ in range(200):
        if old() is None:
            break
        time.sleep(0.05)
    assert old() is None, gc.get_referrers(old())


def test_searches_during_reloads_never_fail(client, files):
    failed, done = [], threading.Event()

    def search():
        while not done.is_set():
            reply = rerank(client, "slow")
            if reply.status_code != 200 or reply.json()["rerank"]["status"] != "complete":
                failed.append(reply.text)

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(10):
        files["rerankers"].write_text(
            f'[rerankers.slow]\nkind = "fake"\nmilliseconds = {1 + number}\n'
        )
        assert reload(client).rerankers.changed == ["slow"]
    done.set()
    for thread in threads:
        thread.join()
    assert failed == []


def test_a_reload_needs_the_scope_admin_and_all_collections(serve, tmp_path, files, problem):
    root = tmp_path / "data"
    keys = {}
    for name, scopes, patterns in (
        ("all", ("admin",), ("*",)),
        ("shop", ("admin",), ("shop*",)),
        ("reader", ("read", "write"), ("*",)),
    ):
        created = new_key(name, scopes=scopes, collections=patterns)
        KeyFile(root / FILE_NAME).add(created.key)
        keys[name] = {"api-key": created.secret}
    client = serve(root, **files)
    assert client.post("/v1/reload", headers=keys["all"]).status_code == 200
    for name in ("shop", "reader"):
        problem(client.post("/v1/reload", headers=keys[name]), 403, "forbidden")
    problem(client.post("/v1/reload?file=/etc/passwd", headers=keys["all"]), 422, "invalid")


@pytest.mark.slow
def test_sighup_reloads_a_running_server(tmp_path, files, fake_config):
    server = Server(tmp_path, TWINDEX_RERANKERS=str(files["rerankers"]))
    try:
        files["rerankers"].write_text(NEW)
        server.process.send_signal(signal.SIGHUP)
        server.wait_for_log("rerankers reloaded: 1 changed")
        files["rerankers"].write_text("wrong")
        server.process.send_signal(signal.SIGHUP)
        server.wait_for_log("nothing is reloaded")
        client = twindex.Client(str(server.client.base_url))
        with pytest.raises(twindex.ConflictError, match=r"rerankers\.toml"):
            client.reload()
        files["rerankers"].write_text(TWO)
        assert client.reload()["rerankers"]["changed"] == ["slow"]
    finally:
        server.stop()
        server.process.stderr.close()


@pytest.mark.slow
def test_a_server_ends_with_its_terminal(tmp_path):
    main, other = pty.openpty()
    command = (
        "import fcntl, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
        "from twindex.api.cli.main import main; sys.exit(main())"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", command, "serve", str(tmp_path), "--port", "0"],
        stdin=other,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    os.close(other)
    for line in process.stderr:
        if "serving" in line:
            break
    time.sleep(0.5)
    os.close(main)
    assert process.wait(30) is not None
    process.stderr.close()


def test_the_release_of_replaced_parts_does_not_need_weak_references():
    from twindex.api.serving.operations.reloading import _weak

    assert _weak(1) is None
    assert _weak(Path) is not None
