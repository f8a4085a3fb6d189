"""docs/limits.md lists every bound and default. Run this file to write its tables."""

from __future__ import annotations

import sys
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic_core import PydanticUndefined

from twindex.api.cli.arguments.key_file import MAX_KEY
from twindex.api.http.shapes.reranking import RerankBody
from twindex.api.http.shapes.schemas import BatchRequest
from twindex.api.serving.settings import Settings
from twindex.ask import config as ask_config
from twindex.core.bounds import Bounds
from twindex.core.config import Config
from twindex.core.filters import MAX_CONDITIONS, MAX_DEPTH
from twindex.core.toml import MAX_TOML
from twindex.encoders import ENCODERS, LateFields, PassageConfig, TildeFields
from twindex.generate import GENERATORS, AnswerOptions, CitationOptions, ContextOptions
from twindex.generate.rewriting import REWRITERS, LanguageModelRewriterConfig
from twindex.index import (
    CODECS,
    LEGS,
    PROJECTIONS,
    STRUCTURES,
    CollectionConfig,
    StorageConfig,
    VectorSearch,
)
from twindex.index.codecs.config import BaseProjection
from twindex.rerank import RERANKERS, Budget, CalibrationConfig, RerankerConfig, StageConfig
from twindex.search import AnswerRequest, request, stages
from twindex.search.parameters import PAGE
from twindex.sources.document import MAX_ID_BYTES, MAX_METADATA_DEPTH, MAX_METADATA_KEY
from twindex.sources.lines import MAX_LINE
from twindex.sources.vectors import LARGEST, LARGEST_OF_QUERY
from twindex.train.options import CrossEncoderTraining, PassageScorerTraining

DOCUMENT = Path(__file__).parents[2] / "docs" / "limits.md"
BEGIN, END = "<!-- from the code: begin -->", "<!-- from the code: end -->"


def collections() -> tuple[type[Config], ...]:
    """The configurations of a collection and its parts, and every kind of these."""
    kinds = [
        family.classes().values() for family in (LEGS, ENCODERS, STRUCTURES, CODECS, PROJECTIONS)
    ]
    parts = (CollectionConfig, PassageConfig, StorageConfig, VectorSearch)
    return tuple(dict.fromkeys([*parts, *(one for family in kinds for one in family)]))


def rerankers() -> tuple[type[Config], ...]:
    """The configurations that all rerankers share, and every kind of reranker."""
    parts = (ask_config.LanguageModelConfig, Budget, CalibrationConfig, RerankerConfig)
    return (*parts, StageConfig, *RERANKERS.classes().values())


SECTIONS: tuple[tuple[str, tuple[Any, ...]], ...] = (
    (
        "Requests",
        (
            request,
            stages,
            RerankBody,
            AnswerRequest,
            AnswerOptions,
            ContextOptions,
            CitationOptions,
        ),
    ),
    ("Collections", collections()),
    ("Rerankers", rerankers()),
    ("Generators", tuple(GENERATORS.classes().values())),
    ("Rewriters", (LanguageModelRewriterConfig, *REWRITERS.classes().values())),
    ("Server (variables `TWINDEX_*`)", (Settings,)),
    ("Training", (CrossEncoderTraining, PassageScorerTraining)),
)


def models(place: Any) -> list[type[Config]]:
    """The configuration `place`, or all that the module `place` defines, in its order."""
    if isinstance(place, type):
        return [place]
    return [
        value
        for value in vars(place).values()
        if isinstance(value, type)
        and issubclass(value, Config)
        and value.__module__ == place.__name__
    ]


def bounds(annotation: Any) -> Bounds | None:
    """The bounds of the number in an annotation; None if it has none."""
    if get_origin(annotation) is Annotated:
        inner, *metadata = get_args(annotation)
        own = [one for one in metadata if isinstance(one, Bounds)]
        return own[0] if own else bounds(inner)
    if get_origin(annotation) in (Union, UnionType, tuple):
        return next(filter(None, map(bounds, get_args(annotation))), None)
    return None


def rows(place: Any) -> list[str]:
    found = []
    for model in models(place):
        named = {*model.__annotations__}
        for base in (ask_config.Limits, BaseProjection, LateFields, TildeFields):
            if issubclass(model, base):
                named.update(base.__annotations__)
        for name, field in model.model_fields.items():
            own = [one for one in field.metadata if isinstance(one, Bounds)]
            limit = own[0] if own else bounds(field.annotation)
            if limit is not None and name in named:
                found.append(
                    f"| `{model.__name__}.{name}` | {limit.words} | {shown(field.default)} |"
                )
    return found


def shown(default: Any) -> str:
    if default is PydanticUndefined:
        return "required"
    if default is None:
        return "none"
    return f"{default:,}" if isinstance(default, int) else f"{default:g}"


def tables() -> str:
    lines = []
    for title, places in SECTIONS:
        lines += [f"### {title}", "", "| field | value | default |", "|---|---|---|"]
        lines += [row for place in places for row in rows(place)] + [""]
    return "\n".join(lines)


def fixed_phrases() -> dict[str, str]:
    """Phrases with numbers that the document must contain, by name."""
    batch = BatchRequest.model_fields["requests"].metadata
    documents = RerankBody.model_fields["documents"].metadata
    most = [max(getattr(one, "max_length", 0) for one in found) for found in (batch, documents)]
    return {
        "conditions": f"{MAX_CONDITIONS:,} conditions and {MAX_CONDITIONS:,} groups",
        "depth": f"nested {MAX_DEPTH} deep",
        "ids": f"{MAX_ID_BYTES} bytes of UTF-8",
        "metadata": f"{MAX_METADATA_DEPTH} levels deep, keys of {MAX_METADATA_KEY} characters",
        "components": f"query vector | ±{LARGEST_OF_QUERY:g}",
        "stored components": f"stored vector | ±{LARGEST:g}",
        "batch": f"{most[0]} searches",
        "rerank": f"{most[1]:,} documents",
        "window": f"{request.WINDOW:,} hits",
        "page": f"{PAGE.greatest:,} documents",
        "line": f"file of `--ids-file` | {MAX_LINE:,} bytes",
        "item": f"item of a JSON array | {2 * MAX_LINE:,} characters",
        "toml": f"TOML configuration | {MAX_TOML:,} bytes",
        "key": f"file of `--api-key-file` | {MAX_KEY:,} bytes",
    }


def test_document_lists_every_bound():
    text = DOCUMENT.read_text(encoding="utf-8")
    begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    assert text[begin:end].strip() == tables().strip(), f"run: python {Path(__file__).name}"


def test_document_states_the_fixed_limits():
    text = DOCUMENT.read_text(encoding="utf-8")
    for name, words in fixed_phrases().items():
        assert words in text, (name, words)


def test_every_section_has_rows():
    text = tables()
    for name in ("SearchRequest.depth", "HnswConfig.ef_search", "Budget.calls", "Settings.queue"):
        assert f"`{name}`" in text


if __name__ == "__main__":
    text = DOCUMENT.read_text(encoding="utf-8")
    begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    DOCUMENT.write_text(f"{text[:begin]}\n{tables()}\n{text[end:]}", encoding="utf-8")
    sys.exit(0)
