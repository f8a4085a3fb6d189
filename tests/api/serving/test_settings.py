"""Settings from files, variables and options."""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path

import pytest

from twindex.api.cli.commands.serving import serve
from twindex.api.cli.main import main
from twindex.api.http.logs import JsonFormatter
from twindex.api.serving.settings import Settings, option
from twindex.core import ConfigError


def test_variables_become_settings():
    given = {
        "TWINDEX_THREADS": "3",
        "TWINDEX_ACCESS_LOG": "1",
        "TWINDEX_API_KEY": "k",
        "TWINDEX_ALLOW_DOWNLOAD": "1",
        "PATH": "/bin",
    }
    settings = Settings.from_environment(given)
    assert (settings.search_threads, settings.access_log) == (3, True)
    assert settings.api_key.get_secret_value() == "k"
    assert "'k'" not in repr(settings)


def test_unknown_variables_are_warned_about(caplog):
    others = ("TWINDEX_ALLOW_DOWNLOAD", "TWINDEX_CACHE", "TWINDEX_DEBUG")
    Settings.from_environment({"TWINDEX_THREDS": "3", **dict.fromkeys(others, "1")})
    assert "TWINDEX_THREDS" in caplog.text
    assert not any(name in caplog.text for name in others)


def test_the_newline_of_a_key_file_is_removed():
    key = Settings.from_environment({"TWINDEX_API_KEY": " s3cret\r\n"}).api_key
    assert key.get_secret_value() == "s3cret"


def test_hosts_are_separated_by_commas():
    settings = Settings.from_environment({"TWINDEX_ALLOWED_HOSTS": "A.example, b:80,"})
    assert settings.allowed_hosts == ("a.example", "b:80")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TWINDEX_THREADS", "many"),
        ("TWINDEX_THREADS", "-1"),
        ("TWINDEX_MAX_BODY_BYTES", "16MB"),
        ("TWINDEX_LOG_LEVEL", "loud"),
        ("TWINDEX_API_KEY", " "),
        ("TWINDEX_API_KEY", "a\nb"),
        ("TWINDEX_API_KEY", "ключ"),
    ],
)
def test_a_bad_value_names_its_variable(name, value):
    with pytest.raises(ConfigError, match=name) as raised:
        Settings.from_environment({name: value})
    assert raised.value.field == name


def test_options_override_variables_and_variables_override_the_file(tmp_path):
    file = tmp_path / "server.toml"
    file.write_text(
        'threads = 1\nqueue = 1\nrerank_queue = 1\ncors_origins = ["https://a.example"]\n'
    )
    settings = Settings.from_environment(
        {"TWINDEX_QUEUE": "2", "TWINDEX_RERANK_QUEUE": "2"}, file=file, given={"rerank_queue": "3"}
    )
    assert (settings.threads, settings.queue, settings.rerank_queue) == (1, 2, 3)
    assert settings.cors_origins == ("https://a.example",)


@pytest.mark.parametrize(
    ("text", "given", "named"),
    [
        ("threads = -1", {}, "server.toml: threads"),
        ("threds = 1", {}, "threds.*unknown.*threads"),
        ("", {"head_seconds": "0"}, "--head-seconds"),
        ("", {"root_path": "/v1"}, "--root-path"),
        ("", {"cors_origins": "app.example"}, "--cors-origins.*https://app.example"),
    ],
)
def test_a_bad_value_names_its_file_or_option(tmp_path, text, given, named):
    file = tmp_path / "server.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=named):
        Settings.from_environment({}, file=file, given=given)


def test_every_setting_is_an_option_with_help(capsys):
    with pytest.raises(SystemExit):
        main(["serve", "--help"])
    shown = capsys.readouterr().out
    for name in set(Settings.model_fields) - {"api_key"}:
        assert option(name) in shown, name
    assert "--api-key-file" in shown
    texts = serve._texts()
    assert set(texts) == set(Settings.model_fields)
    assert all(texts.values())


def test_a_file_with_the_key_is_regular_and_small(tmp_path, capsys):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_text("x" * (2**16 + 1))
    (tmp_path / "latin").write_bytes(b"\xff")
    for name, words in (
        ("pipe", "is a named pipe, not a regular file"),
        ("large", "has more than 65,536 bytes"),
        ("latin", "is not UTF-8 ("),
        ("none", "none: cannot be read: No such file"),
    ):
        assert main(["serve", str(tmp_path), "--api-key-file", str(tmp_path / name)]) == 2
        error = capsys.readouterr().err
        assert error.startswith("twindex: error: --api-key-file: ")
        assert words in error


def test_every_setting_is_documented():
    document = (Path(__file__).parents[3] / "docs" / "deployment.md").read_text()
    for name, field in Settings.model_fields.items():
        assert f"`{name}`" in document, name
        if isinstance(field.default, int | float) and not isinstance(field.default, bool):
            assert any(
                f"`{name}`" in line and _shown(field.default) in line
                for line in document.splitlines()
            ), name


def _shown(default: float) -> str:
    for size, unit in ((1 << 30, "GiB"), (1 << 20, "MiB")):
        if default >= size and default % size == 0:
            return f"| {default // size:g} {unit} |"
    return f"| {default:,g} |" if default < 1e6 else f"| {default} |"


def test_logs_can_be_json():
    record = logging.makeLogRecord(
        {"name": "a", "levelname": "INFO", "msg": "%d ä", "args": (3,), "status": 200}
    )
    line = json.loads(JsonFormatter().format(record))
    assert (line["message"], line["level"], line["logger"]) == ("3 ä", "info", "a")
    assert line["status"] == 200
    try:
        raise ValueError("".join(["w", "h", "y"]))
    except ValueError:
        failed = logging.makeLogRecord({"msg": "x", "exc_info": sys.exc_info()})
    shown = json.loads(JsonFormatter().format(failed))["error"]
    assert "ValueError" in shown
    assert "why" not in shown, "a message may contain a text"
    failed.exc_text = None
    debug = JsonFormatter(messages=True).format(failed)
    assert "ValueError: why" in json.loads(debug)["error"]
