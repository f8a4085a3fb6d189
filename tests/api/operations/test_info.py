"""What `/v1/info` tells to whom."""

from __future__ import annotations

import tomllib

import twindex
from twindex.api.cli.commands.serving.check_config import shown
from twindex.api.http.app import create_app
from twindex.api.http.shapes.operations import Info
from twindex.api.serving.access.key_file import FILE_NAME, KeyFile, new_key
from twindex.api.serving.measuring.info import FEATURES
from twindex.api.serving.settings import Settings
from twindex.client import Client
from twindex.client.upkeep import AsyncUpkeepMethods, UpkeepMethods

from ...house import HOUSE

RERANKERS = '[rerankers.fast]\nkind = "fake"\n'


def test_a_server_describes_itself(serve, tmp_path, fake_config):
    file = tmp_path / "rerankers.toml"
    file.write_text(RERANKERS)
    (tmp_path / "data").mkdir()
    client = serve(tmp_path / "data", rerankers=file, snapshots=str(tmp_path / "snapshots"))
    client.put("/v1/collections/birds", json=fake_config)
    info = Info.model_validate(client.get("/v1/info").json())
    assert info.version == twindex.__version__
    assert info.uptime_seconds >= 0
    assert info.started.startswith("20")
    assert info.formats["collection"] >= 2
    assert info.features["documents"], "the extra is installed here"
    assert set(info.capabilities) == {"answers", "jobs", "reranking", "snapshots"}
    assert info.models.rerankers == ["fast"]
    assert info.models.generators == ["extractive"]
    assert info.models.encoders
    assert info.limits["search_seconds"] == 30
    assert info.key.scopes == ["admin", "read", "write"]
    assert info.settings["rerankers"].value == str(file)


def test_a_key_sees_only_its_part_and_no_settings(serve, tmp_path, fake_config):
    root = tmp_path / "data"
    root.mkdir()
    keys = {}
    for name, scopes, patterns in (
        ("all", ("read", "write", "admin"), ("*",)),
        ("shop", ("read", "admin"), ("shop*",)),
        ("reader", ("read",), ("*",)),
    ):
        created = new_key(name, scopes=scopes, collections=patterns)
        KeyFile(root / FILE_NAME).add(created.key)
        keys[name] = created
    client = serve(root)
    for name, encoder in (("secret", "fake"), ("shop-1", "fake")):
        config = {
            "legs": {"words": {"kind": "dense", "encoder": {"kind": "dense", "model": encoder}}}
        }
        headers = {"api-key": keys["all"].secret}
        assert client.put(f"/v1/collections/{name}", json=config, headers=headers).is_success

    def info(name):
        reply = client.get("/v1/info", headers={"api-key": keys[name].secret})
        return Info.model_validate(reply.json()), reply.text

    found, text = info("all")
    assert (found.collections, found.key.name) == (2, "all")
    assert found.settings is not None
    assert "keys" in found.capabilities
    for name in ("shop", "reader"):
        found, text = info(name)
        assert found.settings is None
        assert str(root) not in text
    found, text = info("shop")
    assert (found.collections, found.key.collections) == (1, ["shop*"])
    assert "secret" not in text


def test_settings_name_their_source_and_show_no_secret(tmp_path, serving):
    file = tmp_path / "server.toml"
    file.write_text('queue = 5\nlog_format = "json"\n')
    settings = Settings.from_environment(
        {"TWINDEX_THREADS": "1", "TWINDEX_API_KEY": "marked-key"},
        file=file,
        given={"search_seconds": 9.0},
    )
    (tmp_path / "data").mkdir()
    with (
        serving(create_app(tmp_path / "data", settings)) as url,
        Client(url, api_key="marked-key") as client,
    ):
        info = client.info()
    assert "marked-key" not in str(info)
    sources = {name: one["source"] for name, one in info["settings"].items()}
    assert sources["queue"] == f"{file}: queue"
    assert sources["threads"] == "TWINDEX_THREADS"
    assert sources["search_seconds"] == "--search-seconds"
    assert sources["rerankers"] == "default"
    assert info["settings"]["api_key"] == {"value": "(set)", "source": "TWINDEX_API_KEY"}
    assert Settings(queue=5).source("queue") == "argument"


def test_the_password_of_a_url_is_not_shown(serve):
    client = serve(traces="http://operator:marked@collector.test:4318/v1/traces")
    settings = client.get("/v1/info").json()["settings"]
    assert settings["traces"]["value"] == "http://collector.test:4318/v1/traces"
    assert "marked" not in shown(Settings(traces="https://operator:marked@collector.test"))


def test_both_clients_have_the_same_methods():
    names = [
        {name for name in dir(methods) if not name.startswith("_")}
        for methods in (UpkeepMethods, AsyncUpkeepMethods)
    ]
    assert names[0] == names[1]
    assert "info" in names[0]


def test_features_are_extras_of_the_package():
    project = tomllib.loads((HOUSE / "pyproject.toml").read_text())["project"]
    assert set(FEATURES) <= set(project["optional-dependencies"])
