"""Settings from the environment."""

from __future__ import annotations

import pytest

from twindex.api.settings import Settings
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
    assert (settings.workers, settings.access_log) == (3, True)
    assert settings.api_key.get_secret_value() == "k"
    assert "'k'" not in repr(settings)


def test_unknown_variables_are_warned_about(caplog):
    Settings.from_environment({"TWINDEX_THREDS": "3", "TWINDEX_ALLOW_DOWNLOAD": "1"})
    assert "TWINDEX_THREDS" in caplog.text
    assert "DOWNLOAD" not in caplog.text


def test_a_key_from_a_file_ends_with_no_newline():
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
