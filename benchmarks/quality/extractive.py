"""The extractive reader against as many first words of what it reads.

    python benchmarks/run.py extractive
    python benchmarks/run.py extractive --sets xquad_en --context 200

Every question of a set is answered with at most one, two and three sentences of the passages that
a search finds: BM25 alone, and BM25 fused with the default dense encoder, which reads English. An
answer is right if it contains a gold answer as adjacent words. On the same questions it is compared
with texts of equal length, by paired randomisation tests:

    top hit      the first words of the passage that the search ranks first; the whole passage if
                 it is shorter than the answer
    all sources  the first words of all passages that were read, best passage first

The constants of the reader were fitted to the half `development` of all sets together. No question
of the half `test` was looked at for it. The halves are made by a hash of the id of the gold
passage, so that no passage has questions in both halves. XQuAD has the same ids in all languages.
Holm's correction is over all comparisons of a half.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from statistics import fmean, median
from typing import Any

from common.answers.tables import top_of_sources
from common.datasets import CACHE, DATA

from twindex.core import BarProgress, ConflictError, NotFoundError
from twindex.eval import BeirDataset, compare, holm
from twindex.eval.answers import AnswerRecord, QuestionSet
from twindex.eval.answers.matching import contains_answer, without_markers
from twindex.eval.answers.running import asked
from twindex.generate import ExtractiveConfig
from twindex.index import CollectionConfig
from twindex.search import Collection, GeneratorRegistry, build

SENTENCES = (1, 2, 3)
"""Maximum numbers of sentences of an answer."""
LANGUAGES = {"xquad_de": "de"}
"""Language of a set that is not English."""
SEARCHES = {"BM25": ("lexical",), "fused": ("dense", "lexical")}
"""Searches -> their legs. `fused` is for English sets only."""
HALVES = ("development", "test")
FIRST = {"top hit": 1, "all sources": None}
"""Compared texts -> number of the passages from which their words are."""

Values = dict[str, float]
Key = tuple[str, str, int]
"""Search, half, and maximum number of sentences."""


@dataclass(slots=True)
class Half:
    """What was measured on a half of a set. Values are by question."""

    reader: Values = field(default_factory=dict)
    first: Mapping[str, Values] = field(default_factory=lambda: {name: {} for name in FIRST})
    words: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)


def half_of(gold: Iterable[str]) -> str:
    """The half of a question with these gold passages."""
    return HALVES[hashlib.sha256(min(gold).encode()).digest()[0] % 2]


def opened(name: str, dataset: BeirDataset, language: str) -> Collection:
    """The collection of a set, built at the first run."""
    folder = CACHE / "extractive" / name
    try:
        return Collection.open(folder, verify="size")
    except (NotFoundError, ConflictError):
        folder.parent.mkdir(parents=True, exist_ok=True)
        legs: dict[str, Any] = {"lexical": {"kind": "lexical", "encoder": {"language": language}}}
        if language == "en":
            legs["dense"] = {"kind": "dense"}
        build(folder, dataset.documents(), config=CollectionConfig.parse({"legs": legs}),
              progress=BarProgress())  # fmt: skip
        return Collection.open(folder, verify="size")


def measured(name: str, context: int) -> dict[Key, Half]:
    """The answers to the questions of a set."""
    dataset = BeirDataset.open(DATA / name)
    questions = QuestionSet.of(dataset)
    language = LANGUAGES.get(name, "en")
    collection = opened(name, dataset, language)
    collection.generators = GeneratorRegistry(
        {str(count): ExtractiveConfig(sentences=count, language=language) for count in SENTENCES}
    )
    searches = [one for one in SEARCHES if one != "fused" or language == "en"]
    found = {key: Half() for key in product(searches, HALVES, SENTENCES)}
    for question in questions.questions:
        right, half = questions.answers[question.id], half_of(questions.gold(question.id))
        for search, count in product(searches, SENTENCES):
            own = found[search, half, count]
            fields = {
                "generator": str(count),
                "context": {"tokens": context},
                "search": {"legs": list(SEARCHES[search])},
            }
            answer = collection.answer(asked(question, fields))
            record = AnswerRecord.of(question.id, answer)
            if answer.outcome == "no_answer":
                record = replace(record, text="")
            text = without_markers(record.text)
            own.reader[question.id] = float(contains_answer(text, right))
            for label, passages in FIRST.items():
                first = top_of_sources(record, passages).text
                own.first[label][question.id] = float(contains_answer(first, right))
            own.words.append(len(text.split()))
            own.times.append(answer.timings.get("generate", 0.0))
    return found


def rows(name: str, found: Mapping[Key, Half]) -> list[dict[str, Any]]:
    """The rows of a set, without Holm's correction."""
    return [
        {
            "set": name,
            "search": search,
            "half": half,
            "sentences": count,
            "questions": len(own.reader),
            "words": fmean(own.words),
            "ms": median(own.times),
            "reader": fmean(own.reader.values()),
            "first": {label: against(own.reader, values) for label, values in own.first.items()},
        }
        for (search, half, count), own in found.items()
    ]


def against(reader: Values, first: Values) -> dict[str, float]:
    """The reader against the first words of a text."""
    found = compare(reader, first)
    return {"right": fmean(first.values()), "difference": found.difference, "p": found.p_value}


def corrected(every: Sequence[dict[str, Any]]) -> None:
    """Replace the p-values of each half by corrected ones."""
    for half in HALVES:
        own = [one for row in every if row["half"] == half for one in row["first"].values()]
        for one, p_value in zip(own, holm([one["p"] for one in own]), strict=True):
            one["p"] = p_value


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--sets", default="nq_open_oracle,xquad_en,xquad_de")
    parser.add_argument("--context", type=int, default=500, help="words of the sources")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    every = []
    for name in options.sets.split(","):
        every += rows(name, measured(name, options.context))
    corrected(every)
    for row in every:
        print(row)
    if options.json:
        options.json.write_text(json.dumps({"context": options.context, "rows": every}))


if __name__ == "__main__":
    main()
