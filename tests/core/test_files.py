"""Configurations and lists of ids are read only from regular files of limited size."""

from __future__ import annotations

import os

import pytest

from twindex.core import SourceError
from twindex.core.files import read_bounded
from twindex.core.toml import MAX_TOML, parse_toml


@pytest.mark.timeout(20)
def test_configuration_from_a_pipe_or_device_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "zero.toml").symlink_to("/dev/zero")
    with pytest.raises(SourceError, match="is a folder; name a file in it"):
        parse_toml(tmp_path, dict)
    for name, what in (("pipe.toml", "a named pipe"), ("zero.toml", "a device")):
        path = tmp_path / name
        with pytest.raises(SourceError) as caught:
            parse_toml(path, dict)
        message = f"{path}: is {what}, not a regular file; copy its contents to a regular file"
        assert str(caught.value) == message


def test_configuration_has_a_maximum_size(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text("a = 1 #" + "x" * (MAX_TOML - 7))
    assert parse_toml(path, dict) == {"a": 1}
    with path.open("a") as file:
        file.write("x")
    with pytest.raises(SourceError, match=r"c\.toml: the file has more than 1,048,576 bytes"):
        parse_toml(path, dict)
    with path.open("wb") as file:
        file.truncate(1 << 40)  # without data on the disk
    with pytest.raises(SourceError, match=r"c\.toml: the file has more than 1,048,576 bytes"):
        parse_toml(path, dict)


@pytest.mark.parametrize("text", ["a=" + "[" * 100_000, "a=" + "{a=" * 100_000])
def test_deeply_nested_configuration_is_refused(tmp_path, text):
    path = tmp_path / "c.toml"
    path.write_text(text)
    with pytest.raises(SourceError, match=r"c\.toml: is nested too deeply; use fewer levels"):
        parse_toml(path, dict)


def test_invalid_toml_is_refused(tmp_path):
    path = tmp_path / "c.toml"
    for content, words in ((b"a = \xff", "'utf-8'"), (b"a =", "Invalid value")):
        path.write_bytes(content)
        with pytest.raises(SourceError, match=f"is not valid TOML: {words}"):
            parse_toml(path, dict)
    with pytest.raises(SourceError, match=r"none\.toml: cannot be read: No such file"):
        parse_toml(tmp_path / "none.toml", dict)


def test_file_of_exactly_the_limit_is_read(tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"12345")
    assert read_bounded(path, 5) == b"12345"
    with pytest.raises(SourceError, match="has more than 4 bytes"):
        read_bounded(path, 4)
