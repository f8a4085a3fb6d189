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


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TWINDEX_THREADS", "many"),
        ("TWINDEX_THREADS", "-1"),
        ("TWINDEX_MAX_BODY_BYTES", "16MB"),
        ("TWINDEX_LOG_LEVEL", "loud"),
        ("TWINDEX_API_KEY", " "),
    ],
)
def test_a_bad_value_names_its_variable(name, value):
    with pytest.raises(ConfigError, match=name) as raised:
        Settings.from_environment({name: value})
    assert raised.value.field == name
