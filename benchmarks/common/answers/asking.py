"""Asks the questions of a set for a row of the table, and keeps the answers as they are made."""

from __future__ import annotations

import argparse
import json
import random
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from common.answers.rows import LEGS, ROWS, TEXTS, Row, request_fields, rerankers, search_fields
from common.answers.texts import (
    WAYS,
    KeptBackground,
    KeptRewriter,
    Written,
    demonstrations,
    digest,
    written,
)
from common.datasets import CACHE

from twindex.ask import LanguageModelConfig
from twindex.ask.loading import load_language_model
from twindex.core import BarProgress, ConflictError, NotFoundError, Query
from twindex.eval import BeirDataset
from twindex.eval.answers import AnswerRecord, QuestionSet
from twindex.eval.answers.matching import contains_answer
from twindex.eval.answers.measures import answer_measures
from twindex.eval.answers.records import AnswersFile
from twindex.eval.answers.running import asked
from twindex.generate import (
    AnswerOptions,
    Candidate,
    ExtractiveConfig,
    LanguageModelGeneratorConfig,
    Task,
)
from twindex.generate.rewriting import Use
from twindex.generate.safety import same_boundary
from twindex.generate.writers.language_model import generator
from twindex.index import CollectionConfig
from twindex.llm import LanguageModel, Message, Sampling
from twindex.search import Collection, GeneratorRegistry, RewriterRegistry, build
from twindex.search.answering.backgrounds import BackgroundRegistry
from twindex.search.answering.evidence import content_words

TERMS = content_words("en")
CLOSED = "Answer the question in one sentence.\n\nQuestion: {question}"
MOST = 1_000_000
"""Tokens or words of a context that is limited by its number of texts."""
USES = {"HyDE": Use("mean"), "query2doc": Use("append", repeat=5)}
"""Rows that search generated texts -> how."""
DEPTH = 20
"""Hits from which distractors are taken."""

Ask = Callable[[Query], AnswerRecord]


def opened(name: str, dataset: BeirDataset) -> Collection:
    """The collection of a data set, built at the first run."""
    folder = CACHE / "answers" / name
    try:
        return Collection.open(folder, verify="size")
    except (NotFoundError, ConflictError):
        folder.parent.mkdir(parents=True, exist_ok=True)
        build(folder, dataset.documents(), config=CollectionConfig.parse({"legs": LEGS}),
              progress=BarProgress())  # fmt: skip
        return Collection.open(folder, verify="size")


def answered(path: Path) -> set[str]:
    """The ids of the questions that a file has answers to."""
    if not path.exists():
        return set()
    lines = path.read_text().splitlines(keepends=True)[1:]
    return {json.loads(line)["_id"] for line in lines if line.endswith("\n")}


class Asking:
    """A collection, its questions, and the models that answer them."""

    def __init__(
        self,
        name: str,
        collection: Collection,
        questions: QuestionSet,
        options: argparse.Namespace,
    ) -> None:
        self.name, self.collection, self.questions = name, collection, questions
        self.written: dict[str, dict[str, Written]] = {}
        self.model: LanguageModel | None = None
        self._options = options
        documents = {document.id: document for document in collection.scan()}
        self.ids = sorted(documents)
        self.texts = {id_: documents[id_].text for id_ in self.ids}
        self.titles = {id_: documents[id_].title for id_ in self.ids}
        collection.rerankers = rerankers()
        if options.llm_questions:
            config = LanguageModelGeneratorConfig(
                llm=LanguageModelConfig(model=options.llm, base_url=options.base_url)
            )
            self.model = load_language_model(config.llm)
            self._writer = generator(config, self.model)

    def write(self, every: QuestionSet, few: QuestionSet, unseen: QuestionSet) -> None:
        """Let the model write texts about the few questions.

        every: where demonstrations are. unseen: questions whose passages are not shown in them.
        """
        pairs = demonstrations(every, unseen.questions, self.texts)
        for way in WAYS:
            self.written[way] = written(
                CACHE / "answers" / self.name,
                way,
                few.questions,
                pairs,
                self.model,
                count=self._options.texts,
                max_tokens=self._options.background_tokens,
                seed=self._options.seed,
            )

    def fields(self, reader: str) -> dict[str, Any]:
        """Fields that all answers of a reader share."""
        return {
            "generator": reader,
            "max_tokens": self._options.max_tokens,
            "context": {"tokens": self._options.context},
        }

    def records(
        self, row: Row, reader: str, k: int | None, questions: QuestionSet, until: float | None
    ) -> Mapping[str, AnswerRecord] | None:
        """The answers of a row: kept ones, and new ones. None if the time is over before the end.

        k: number of texts that the reader gets; None: as many as fit. until: end of the time.
        """
        fields = {
            **self.fields(reader),
            **request_fields(row, k, self._options.context, MOST),
        }
        made = {"row": row.name, "k": k, "seed": self._options.seed, **fields}
        if row.written is not None or row.query is not None:
            made["texts"] = [self._options.texts, self._options.background_tokens]
        if row.source == "gold + distractors":
            made["titles"] = True
        if reader == "model" or row.needs_model:
            made |= {"llm": self._options.llm, "boundary": "same"}
        path = CACHE / "answers" / self.name / f"{digest([reader, made])}.jsonl"
        ids = {question.id for question in questions.questions}
        if until is not None and perf_counter() > until and not ids <= answered(path):
            return None  # Another run may be writing the file.
        ask = self._ask(row, fields, k)
        file = AnswersFile(path, made)
        try:
            for question in questions.questions:
                if question.id in file.records:
                    continue
                if until is not None and perf_counter() > until:
                    return None
                began = process_time()
                with same_boundary():
                    record = ask(question)
                spent = {"cpu": (process_time() - began) * 1e3}
                record = replace(record, timings=spent)
                gold = questions.gold(question.id)
                values = answer_measures(record, questions.answers[question.id], gold, TERMS)
                file.add(record, values)
            return file.records
        finally:
            file.close()

    def prepare(self, row: Row) -> None:
        """Give the collection the readers of a row, and its generated texts."""
        configs: dict[str, Any] = {"extractive": ExtractiveConfig()}
        backgrounds = {}
        if self.model is not None:
            configs["model"] = self._writer
        if row.written is not None:
            backgrounds[TEXTS] = KeptBackground(self.written[row.written])
        self.collection.generators = GeneratorRegistry(
            configs, backgrounds=BackgroundRegistry(backgrounds)
        )
        if row.query is not None:
            own = KeptRewriter(self.written[row.query], USES[row.name])
            self.collection.rewriters = RewriterRegistry({TEXTS: own})

    def _ask(self, row: Row, fields: Mapping[str, Any], k: int | None) -> Ask:
        """The function that answers a question for a row."""
        self.prepare(row)
        if row.closed:
            return lambda question: self._closed(question, fields)
        if row.source == "gold + distractors":
            assert k is not None
            return lambda question: self._among_distractors(question, fields, k)

        def answer(question: Query) -> AnswerRecord:
            gold = sorted(self.questions.gold(question.id))
            search = search_fields(row, gold, self.ids, question)
            if row.combine is None and row.written is not None:
                search = {}  # Nothing is searched.
            elif k is not None:
                search["limit"] = max(k, 10)
            found = self.collection.answer(asked(question, {**fields, "search": search}))
            return AnswerRecord.of(question.id, found)

        return answer

    def _closed(self, question: Query, fields: Mapping[str, Any]) -> AnswerRecord:
        prompt = [Message("user", CLOSED.format(question=question.text))]
        (found,) = self.model.generate([prompt], Sampling(max_tokens=fields["max_tokens"]))  # type: ignore[union-attr]
        return AnswerRecord(question.id, "answered", found.text, usage=found.usage)

    def _among_distractors(
        self, question: Query, fields: Mapping[str, Any], k: int
    ) -> AnswerRecord:
        """Answer from k passages: the gold ones, in random order among the best others."""
        gold = sorted(self.questions.gold(question.id))[:k]
        answers = self.questions.answers[question.id]
        search = search_fields(ROWS["without gold"], gold, self.ids, question)
        hits = self.collection.search(question.text, limit=DEPTH, include=(), **search).hits
        others = [hit.id for hit in hits if not contains_answer(self.texts[hit.id], answers)]
        chosen = [*gold, *others[: k - len(gold)]]
        random.Random(zlib.crc32(question.id.encode())).shuffle(chosen)
        candidates = [
            Candidate(id_, self.texts[id_], 0, len(self.texts[id_]), self.titles[id_])
            for id_ in chosen
        ]
        own = {name: fields[name] for name in ("max_tokens", "context")}
        task = Task(question.text, candidates, AnswerOptions.parse(own))
        reader = self.collection.generators.get(fields["generator"])
        (found,) = reader.answer([task])
        return AnswerRecord.of(question.id, found)
