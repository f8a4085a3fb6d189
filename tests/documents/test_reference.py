"""docs/reference is generated from the code. Run this file to write it."""

from __future__ import annotations

import inspect
import sys
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import twindex
from twindex.api.cli.main import parser
from twindex.api.serving.settings import Settings
from twindex.docs.building import commands, python_names, rest, server

FOLDER = Path(twindex.__file__).parent / "docs" / "reference"
MAKERS = (commands, python_names, rest, server)

pages = cache(lambda maker: maker.pages())
explained = cache(python_names.explained)
document: Any = cache(rest.document)


@pytest.mark.parametrize("maker", MAKERS, ids=lambda maker: maker.__name__.rpartition(".")[2])
def test_page_is_up_to_date(maker):
    for name, text in pages(maker).items():
        written = (FOLDER / name).read_text(encoding="utf-8")
        assert written == text, f"{name}: run python tests/documents/{Path(__file__).name}"


def test_no_other_page_exists():
    made = {name for maker in MAKERS for name in pages(maker)}
    assert {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*.md")} == made


def test_every_command_and_option_is_documented():
    for name, command in commands.walk(parser()):
        assert command.description, name
        for action in commands.arguments(command):
            assert commands.meaning(command, action), (name, action.option_strings or action.dest)


def test_every_endpoint_and_parameter_is_documented():
    for method, path, operation in rest.operations(document()):
        assert operation.get("description"), (method, path)
        for parameter in operation.get("parameters", []):
            assert parameter.get("description"), (method, path, parameter["name"])


def test_every_field_of_a_schema_is_documented():
    schemas = document()["components"]["schemas"]
    missing = [
        f"{name}.{field}"
        for name, schema in schemas.items()
        for field, found in schema.get("properties", {}).items()
        if field != "kind" and not found.get("description", "").removeprefix("Default: ")
    ]
    assert missing == []


def test_every_setting_is_documented():
    assert {*server.meanings()} == {*Settings.model_fields}
    deployment = (FOLDER.parent / "deployment.md").read_text(encoding="utf-8")
    assert [name for name in Settings.model_fields if f"`{name}`" not in deployment] == []


ADAPTERS = [pytest.param(name, marks=pytest.mark.slow) for name in python_names.ADAPTERS]
"""Importing their frameworks is slow."""


@pytest.mark.parametrize("module", [*python_names.MODULES, *ADAPTERS])
def test_every_public_name_is_documented(module):
    try:
        loaded = import_module(f"twindex.{module}" if module else "twindex")
    except twindex.MissingExtraError as error:
        pytest.skip(str(error))
    for name in python_names.names(module):
        value = getattr(loaded, name)
        if inspect.isclass(value) or inspect.isroutine(value):
            text = value.__doc__ or ""
            given = text and not text.startswith(
                f"{name}("
            )  # A dataclass generates such a docstring.
            assert given, f"{loaded.__name__}.{name} has no docstring"
        else:
            assert name in explained(), f"{loaded.__name__}.{name} has no docstring"


if __name__ == "__main__":
    for maker in MAKERS:
        for name, text in maker.pages().items():
            (FOLDER / name).parent.mkdir(parents=True, exist_ok=True)
            (FOLDER / name).write_text(text, encoding="utf-8")
    sys.exit()
