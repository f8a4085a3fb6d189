"""Answers from retrieved passages, without any passage, and from gold passages.

    python benchmarks/run.py answers --sets xquad_en --llm-questions 0
    python benchmarks/run.py answers --questions 200 --llm llama --base-url http://127.0.0.1:8000/v1

A row is a reader with a way to get its context. All contexts have the same budget: words of the
sources for the extractive reader, tokens of the whole prompt for the language model.

    closed book    the language model gets no passage
    background     the language model gets only a text that it wrote itself (generate-then-read)
    both           such a text in half of the tokens, then the passages of `fused`
    both reversed  the same with the passages first
    lexical, dense, fused
                   passages that the legs find, alone and together
    gold           only the gold passages: the upper bound
    without gold   fused, with the gold passages filtered out, as if the collection lacked them
    random         passages drawn at random: the lower bound
    top of sources no reader: the first words of the sources of `fused`, best source first, as many
                   as the extractive answer has

Each row is compared with `fused` of the same reader by a paired randomisation test on `match`, with
Holm's correction over the rows of the reader. Answers are kept as they are made, so an interrupted
run continues.

The rule of abstention is fitted to one half of the questions of a set, and measured on the other
half and on the other sets, with and without gold passages. Accuracy is the share of the answered
questions whose sources contain the answer, and the share whose extractive answer is right.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import random
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from common.datasets import CACHE, DATA

from twindex.ask import LanguageModelConfig
from twindex.ask.loading import load_language_model
from twindex.core import BarProgress, ConflictError, NotFoundError, Query, Usage
from twindex.eval import BeirDataset, compare
from twindex.eval.answers import (
    AnswerEvaluation,
    AnswerRecord,
    Examples,
    QuestionSet,
    evaluate_records,
    fit_abstention,
    observe,
)
from twindex.eval.answers.coverage import accuracy_at, area_under_accuracy, nauc
from twindex.eval.answers.matching import contains_answer, without_markers
from twindex.eval.answers.measures import COVERAGES, answer_measures
from twindex.eval.answers.records import AnswersFile
from twindex.eval.answers.running import asked
from twindex.generate import (
    ExtractiveConfig,
    LanguageModelBackgroundConfig,
    LanguageModelGeneratorConfig,
)
from twindex.generate.background.language_model import PromptingBackground
from twindex.generate.writers.language_model import generator
from twindex.index import CollectionConfig
from twindex.llm import LanguageModel, Message, Sampling
from twindex.search import Collection, GeneratorRegistry, build
from twindex.search.answering.backgrounds import BackgroundRegistry
from twindex.search.answering.evidence import content_words

GENERATED: Mapping[str, Mapping[str, Any]] = {
    "background": {"only": True},
    "both": {"combine": "generated_first"},
    "both reversed": {"combine": "retrieved_first"},
}
"""Rows with a generated text -> fields of `background`."""
ROWS = ("closed book", *GENERATED, "lexical", "dense", "fused", "gold", "without gold", "random")
LLM_ROWS = ("closed book", *GENERATED, "fused", "gold", "without gold")
BASE = "fused"
FIRST = "top of sources"
RANDOM = 20
"""Number of passages drawn for a question of the row `random`."""
SHOWN = ("match", "EM", "F1", "answer_recall", "citation_precision", "citation_recall",
         "lexical_precision", "lexical_recall")  # fmt: skip
CLOSED = "Answer the question in one sentence.\n\nQuestion: {question}"
TERMS = content_words("en")

Ask = Callable[[Query], AnswerRecord]


def opened(name: str, dataset: BeirDataset) -> Collection:
    """The collection of a data set, built at the first run."""
    folder = CACHE / "answers" / name
    try:
        return Collection.open(folder, verify="size")
    except (NotFoundError, ConflictError):
        folder.parent.mkdir(parents=True, exist_ok=True)
        legs = {"lexical": {"kind": "lexical"}, "dense": {"kind": "dense"}}
        build(folder, dataset.documents(), config=CollectionConfig.parse({"legs": legs}),
              progress=BarProgress())  # fmt: skip
        return Collection.open(folder, verify="size")


def sample(questions: QuestionSet, count: int, seed: int) -> QuestionSet:
    """A random sample that depends only on the seed."""
    every = sorted(questions.questions, key=lambda question: question.id)
    chosen = random.Random(seed).sample(every, min(count, len(every)))
    return dataclasses.replace(questions, questions=chosen)


def search_of(row: str, gold: Sequence[str], ids: Sequence[str], question: Query) -> dict[str, Any]:
    """Fields of the search of a row."""
    if row in ("lexical", "dense"):
        return {"legs": [row]}
    if row == "gold":
        return {"filter": {"id": {"in": list(gold)}}}
    if row == "without gold":
        return {"filter": {"not": {"id": {"in": list(gold)}}}} if gold else {}
    if row == "random":
        chosen = random.Random(zlib.crc32(question.id.encode())).sample(ids, min(RANDOM, len(ids)))
        return {"filter": {"id": {"in": chosen}}}
    return {}


def asks(
    row: str,
    fields: Mapping[str, Any],
    collection: Collection,
    questions: QuestionSet,
    ids: Sequence[str],
    model: LanguageModel | None,
) -> Ask:
    """The function that answers a question for a row."""

    def closed(question: Query) -> AnswerRecord:
        began = perf_counter()
        prompt = [Message("user", CLOSED.format(question=question.text))]
        (found,) = model.generate([prompt], Sampling(max_tokens=fields["max_tokens"]))  # type: ignore[union-attr]
        spent = {"generate": (perf_counter() - began) * 1e3}
        return AnswerRecord(question.id, "answered", found.text, usage=found.usage, timings=spent)

    def retrieved(question: Query) -> AnswerRecord:
        search = search_of(row, sorted(questions.gold(question.id)), ids, question)
        given = {**fields, "search": search}
        if row in GENERATED:
            given["background"] = {"model": "model", **GENERATED[row]}
        answer = collection.answer(asked(question, given))
        return AnswerRecord.of(question.id, answer)

    return closed if row == "closed book" else retrieved


def records_of(
    path: Path, made: Mapping[str, Any], questions: QuestionSet, ask: Ask
) -> Mapping[str, AnswerRecord]:
    """The answers of a row: kept ones, and new ones."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = AnswersFile(path, made)
    try:
        for question in questions.questions:
            if question.id not in file.records:
                record = ask(question)
                gold = questions.gold(question.id)
                values = answer_measures(record, questions.answers[question.id], gold, TERMS)
                file.add(record, values)
        return file.records
    finally:
        file.close()


def top_of_sources(record: AnswerRecord) -> AnswerRecord:
    """The first words of the sources, best source first: as many as the answer has."""
    words = len(without_markers(record.text).split())
    texts = " ".join(source.text for source in record.sources)
    text = " ".join(texts.split()[:words])
    return dataclasses.replace(record, text=text, citations=(), usage=Usage(), timings={})


def recalls(records: Mapping[str, AnswerRecord], questions: QuestionSet) -> dict[str, float]:
    """Shares of the questions with an answer in the generated texts, and in all texts sent."""
    counts = {"generated": 0, "union": 0}
    for question in questions.questions:
        record, answers = records[question.id], questions.answers[question.id]
        generated = any(contains_answer(text, answers) for text in record.generated)
        passages = any(contains_answer(one.text, answers) for one in record.sources)
        counts["generated"] += generated
        counts["union"] += generated or passages
    return {name: count / len(questions.questions) for name, count in counts.items()}


def told(row: str, reader: str, found: AnswerEvaluation) -> dict[str, Any]:
    """A row of the table, and its value of each question."""
    cost = found.cost
    assert cost is not None
    return {
        "row": row,
        "reader": reader,
        "questions": found.questions,
        **{name: found.measures[name] for name in SHOWN},
        "no_answer": found.abstention_rate,
        "answered wrongly": found.wrong_answered,
        "words": cost.words,
        "calls": cost.calls,
        "tokens": cost.prompt_tokens + cost.completion_tokens,
        "p50": cost.p50,
        "p95": cost.p95,
        "per_query": dict(found.per_query["match"]),
    }


def compared(rows: list[dict[str, Any]]) -> None:
    """Add to each row its comparison with BASE of the same reader, with Holm's correction."""
    for reader in {row["reader"] for row in rows}:
        own = [row for row in rows if row["reader"] == reader]
        base = next((row for row in own if row["row"] == BASE), None)
        others = [row for row in own if base is not None and row is not base]
        found = [(row, compare(row["per_query"], base["per_query"])) for row in others]
        most = 0.0
        for i, (row, one) in enumerate(sorted(found, key=lambda pair: pair[1].p_value)):
            most = max(most, min(1.0, (len(found) - i) * one.p_value))
            row |= {"difference": one.difference, "p_value": most}
    for row in rows:
        del row["per_query"]


def table(
    name: str, collection: Collection, questions: QuestionSet, options: argparse.Namespace
) -> list[dict[str, Any]]:
    """The rows of a data set, for both readers."""
    ids = sorted(document.id for document in collection.scan())
    fields = {"max_tokens": options.max_tokens, "context": {"tokens": options.context}}
    rows: list[dict[str, Any]] = []
    few = sample(questions, options.llm_questions, options.seed)
    model = None
    if options.llm_questions:
        config = LanguageModelGeneratorConfig(
            llm=LanguageModelConfig(model=options.llm, base_url=options.base_url)
        )
        model = load_language_model(config.llm)
        written = generator(config, model)
    own_texts = ("closed book", *GENERATED)  # Generated texts are not quotable.
    plan = [("extractive", row, questions) for row in ROWS if row not in own_texts]
    plan += [("model", row, few) for row in options.llm_rows.split(",") if options.llm_questions]
    for reader, row, own in plan:
        if model is not None:  # A background of its own for each row, which remembers no text.
            texts = BackgroundRegistry({"model": background(model, options)})
            collection.generators = GeneratorRegistry(
                {"extractive": ExtractiveConfig(), "model": written}, backgrounds=texts
            )
        with_reader = {**fields, "generator": reader}
        made = {"row": row, "seed": options.seed, "llm": options.llm, **with_reader}
        if row in GENERATED:
            made["background_tokens"] = options.background_tokens
        key = hashlib.blake2b(json.dumps(made).encode(), digest_size=6).hexdigest()
        path = CACHE / "answers" / f"{name}-{reader}-{row.replace(' ', '-')}-{key}.jsonl"
        records = records_of(
            path, made, own, asks(row, with_reader, collection, questions, ids, model)
        )
        rows.append(told(row, reader, evaluate_records(records, own, TERMS)))
        rows[-1] |= recalls(records, own)
        print(
            name, {key: value for key, value in rows[-1].items() if key != "per_query"}, flush=True
        )
        if (reader, row) == ("extractive", BASE):
            first = {id_: top_of_sources(record) for id_, record in records.items()}
            rows.append(told(FIRST, reader, evaluate_records(first, own, TERMS)))
    compared(rows)
    return rows


def background(model: LanguageModel, options: argparse.Namespace) -> PromptingBackground:
    """A document that the model writes about a question, greedily."""
    config = LanguageModelBackgroundConfig(max_tokens=options.background_tokens)
    return PromptingBackground(config, [()], model)


def halves(questions: QuestionSet) -> tuple[QuestionSet, QuestionSet]:
    """The questions in two halves, by their ids."""
    parts: tuple[list[Query], list[Query]] = ([], [])
    for question in questions.questions:
        parts[zlib.crc32(question.id.encode()) % 2].append(question)
    return tuple(dataclasses.replace(questions, questions=part) for part in parts)  # type: ignore[return-value]


def right(collection: Collection, questions: QuestionSet, found: Examples, fields: Any) -> Any:
    """1 for each example whose extractive answer has a gold answer and whose gold is there."""
    by_id = {question.id: question for question in questions.questions}
    values = []
    for id_, removed in zip(found.questions, found.removed.tolist(), strict=True):
        gold = sorted(questions.gold(id_))
        search = search_of("without gold" if removed else BASE, gold, [], by_id[id_])
        answer = collection.answer(asked(by_id[id_], {**fields, "search": search}))
        record = AnswerRecord.of(id_, answer)
        match = answer_measures(record, questions.answers[id_], frozenset(gold), TERMS)["match"]
        values.append(match if not removed else 0.0)
    return np.array(values)


def abstention(
    sets: Mapping[str, tuple[Collection, QuestionSet]], options: argparse.Namespace
) -> list[dict[str, Any]]:
    """Rules fitted to one half of a set, measured on the other half and on other sets."""
    fields = {"max_tokens": options.max_tokens, "context": {"tokens": options.context},
              "generator": "extractive"}  # fmt: skip
    fitted, tested = {}, {}
    for name, (collection, questions) in sets.items():
        dev, test = halves(questions)
        fitted[name] = fit_abstention(observe(collection, dev, fields)).rule
        found = observe(collection, test, fields)
        tested[name] = found, right(collection, test, found, fields)
    rows = []
    for source, rule in fitted.items():
        for name, (found, answered) in tested.items():
            if any(rule.missing(values) for values in found.values):
                continue
            confidence = np.array([rule.confidence(values) for values in found.values])
            for kind, chosen in {
                "with and without gold": np.ones(len(confidence), np.bool_),
                "with gold": ~found.removed,
            }.items():
                for label, values in {
                    "sources contain the answer": found.sufficient.astype(float),
                    "answer is right": answered,
                }.items():
                    own, sure = values[chosen], confidence[chosen]
                    normalised = nauc(own, sure)
                    rows.append({
                        "fitted": source, "set": name, "questions": kind, "accuracy": label,
                        "examples": int(chosen.sum()),
                        "curve": {str(c): accuracy_at(own, sure, c) for c in COVERAGES},
                        "area": area_under_accuracy(own, sure),
                        "nauc": None if np.isnan(normalised) else normalised,
                    })  # fmt: skip
            answers = confidence >= rule.threshold
            rows[-1] |= {
                "answered with gold": float(answers[~found.removed].mean()),
                "answered without gold": float(answers[found.removed].mean()),
            }
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--sets", default="xquad_en,nq_open_oracle")
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--llm-questions", type=int, default=60, help="0: no language model")
    parser.add_argument("--llm", default="SmolLM2-135M-Instruct", help="language model")
    parser.add_argument("--base-url", help="address of an OpenAI-compatible server with the model")
    parser.add_argument("--llm-rows", default=",".join(LLM_ROWS), help=", ".join(ROWS))
    parser.add_argument("--context", type=int, default=500, help="tokens or words of a context")
    parser.add_argument("--max-tokens", type=int, default=60, help="tokens or words of an answer")
    parser.add_argument("--background-tokens", type=int, default=150, help="of a generated text")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures: dict[str, Any] = {
        "llm": options.llm, "context": options.context, "max_tokens": options.max_tokens,
        "background_tokens": options.background_tokens,
        "sets": {}, "abstention": [],
    }  # fmt: skip
    sets = {}
    for name in options.sets.split(","):
        dataset = BeirDataset.open(DATA / name)
        questions = sample(QuestionSet.of(dataset), options.questions, options.seed)
        sets[name] = opened(name, dataset), questions
        figures["sets"][name] = table(name, *sets[name], options)
    figures["abstention"] = abstention(sets, options)
    for row in figures["abstention"]:
        print(row)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
