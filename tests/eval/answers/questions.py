"""A collection of ten birds, questions about them, and a model that answers from a table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from twindex.core import Query
from twindex.eval.answers import QuestionSet
from twindex.generate import (
    AbstentionConfig,
    ExtractiveConfig,
    FeatureWeight,
    LanguageModelGeneratorConfig,
)
from twindex.generate.writers.language_model import generator
from twindex.index import CollectionConfig
from twindex.llm import FakeModel
from twindex.search import Collection, GeneratorRegistry

BIRDS = ["kiwi", "emu", "swift", "owl", "robin", "stork", "heron", "eagle", "finch", "raven"]
CITIES = ["Lima", "Oslo", "Rome", "Cairo", "Quito", "Delhi", "Paris", "Tunis", "Seoul", "Accra"]
DOCUMENTS = [
    {"id": bird, "text": f"The {bird} lives near the city of {city}. It weighs {i + 1} kilograms."}
    for i, (bird, city) in enumerate(zip(BIRDS, CITIES, strict=True))
]
QUESTIONS = QuestionSet(
    [
        *(Query(bird, f"Near which city does the {bird} live?") for bird in BIRDS),
        Query("none", "Who discovered penicillin near the city?"),
    ],
    {**{bird: (city,) for bird, city in zip(BIRDS, CITIES, strict=True)}, "none": ()},
    {bird: {bird: 1} for bird in BIRDS},
)
RULE = AbstentionConfig(
    threshold=0.5, bias=-5, features=(FeatureWeight(name="source_coverage_best", weight=10),)
)


def answer_of(prompt: str) -> str:
    """Answer right about half of the birds; the model is wrong, or refuses, about the others."""
    bird = next((bird for bird in BIRDS if f"does the {bird} live?" in prompt), None)
    if bird is None:
        return "No answer."
    number = BIRDS.index(bird)
    if number >= 8:
        return "No answer."
    city = CITIES[number] if number < 5 else "Bern"
    return f"It lives near {city} [1][99]."


def opened(path: Path, model: FakeModel | None = None, **configs: Any) -> Collection:
    """Return a collection of the birds with the generators `extractive`, `model` and `ruled`."""
    made = generator(LanguageModelGeneratorConfig(), model or FakeModel(answer_of))
    generators: dict[str, Any] = {
        "extractive": ExtractiveConfig(),
        "model": made,
        "ruled": ExtractiveConfig(abstention=RULE),
        **configs,
    }
    collection = Collection.create(
        path,
        CollectionConfig.parse({"legs": {"lexical": {"kind": "lexical"}}}),
        generators=GeneratorRegistry(generators),
    )
    collection.add(DOCUMENTS)
    return collection


def some(*ids: str) -> QuestionSet:
    """Return the questions with these ids."""
    return replace(QUESTIONS, questions=[q for q in QUESTIONS.questions if q.id in ids])
