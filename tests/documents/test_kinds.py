"""docs/kinds.md lists every kind with its fields. Run this file to write its tables."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, NoneType
from typing import Any, Literal, get_args, get_origin

from pydantic_core import PydanticUndefined

import twindex.search
from twindex.core import Config, Kinds
from twindex.core.kinds import families
from twindex.encoders import ENCODERS

DOCUMENT = Path(__file__).parents[2] / "docs" / "kinds.md"
BEGIN, END = "<!-- from the code: begin -->", "<!-- from the code: end -->"
HEADINGS = {
    "encoder": "Encoders",
    "codec": "Codecs",
    "projection": "Projections",
    "index": "Vector indexes",
    "leg": "Legs",
    "reranker": "Rerankers",
    "generator": "Generators",
    "background": "Backgrounds",
    "rewriter": "Rewriters",
}


def section(family: Kinds[Any]) -> Iterator[str]:
    yield f"### {HEADINGS[family.noun]}\n"
    kinds: dict[type[Config], list[str]] = {}
    for name, config in family.classes().items():
        if config.__module__.partition(".")[0] == twindex.search.__name__.partition(".")[0]:
            kinds.setdefault(config, []).append(name)
    for config, names in kinds.items():
        yield f"**{', '.join(f'`{name}`' for name in names)}**: {first_paragraph(config)}\n"
        rows = [row(config, name) for name in config.model_fields if name != "kind"]
        if rows:
            yield "\n".join(["| field | default | |", "|---|---|---|", *rows]) + "\n"


def first_paragraph(config: type[Config]) -> str:
    """The first paragraph of the docstring of `config`, on one line."""
    return " ".join((config.__doc__ or "").strip().partition("\n\n")[0].split())


def row(config: type[Config], name: str) -> str:
    field = config.model_fields[name]
    meaning = " ".join(config.meanings().get(name, "").split())
    values = literal_values(field.annotation)
    if values and not meaning:
        meaning = "One of " + ", ".join(f"`{value}`" for value in values) + "."
    default = field.get_default(call_default_factory=False)
    if isinstance(default, Config):
        default = dict(default).get("kind") or dict(default)["model"]
    shown = {PydanticUndefined: "required", None: "none"}.get(default, f"`{default}`")
    if field.default_factory is not None:
        shown = "`flat`" if name == "index" else "see below"
    return f"| `{name}` | {shown} | {meaning.replace('|', chr(92) + '|')} |"


def literal_values(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    inner = [one for one in get_args(annotation) if one is not NoneType]
    return literal_values(inner[0]) if len(inner) == 1 else ()


def tables() -> str:
    assert {family.noun for family in families()} <= {*HEADINGS}
    known = {family.noun: family for family in families()}
    return "\n".join(line for noun in HEADINGS if noun in known for line in section(known[noun]))


def test_document_lists_the_kinds_of_the_code() -> None:
    text = DOCUMENT.read_text()
    begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    assert text[begin:end].strip() == tables().strip(), f"run: python {Path(__file__).name}"


def test_example_of_the_document_runs() -> None:
    from ..house import forget  # Fails if this file runs as a program.

    (code,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    module = ModuleType("length_example")
    sys.modules[module.__name__] = module
    try:
        exec(code, vars(module))  # noqa: S102 - the example of the page
        encoder = ENCODERS.parse({"kind": "length"}).load()
        dense = encoder.encode(["a kiwi"], role="query").dense
        assert dense is not None
        assert dense.tolist() == [[2, 6]]
    finally:
        del sys.modules[module.__name__]
        forget(ENCODERS, vars(module)["LengthConfig"])


if __name__ == "__main__":
    document = DOCUMENT.read_text()
    head, tail = document.partition(BEGIN)[0], document.partition(END)[2]
    DOCUMENT.write_text(f"{head}{BEGIN}\n\n{tables()}\n{END}{tail}")
    sys.exit()
