"""Answers from retrieved passages, from generated texts, from both and from none.

    python benchmarks/run.py answers --sets xquad_en --llm-questions 0
    python benchmarks/run.py answers --questions 200 --llm llama --base-url http://127.0.0.1:8000/v1

A row is a reader with a way to get the texts that it reads. All rows are measured with the same
budget (words of the sources for the extractive reader, tokens of the whole prompt for the language
model), and some of them with the same number of texts too.

    closed book    the language model gets no text
    lexical, sparse, dense, late
                   passages that one leg finds. `late` is MaxSim of the token vectors of the dense
                   encoder, which was not trained for it: no late-interaction encoder can be
                   installed without a download of weights
    fused          passages of lexical, sparse and dense legs together, as a collection searches by
                   default
    fused + rerank its best 100 passages in the order of `late`
    HyDE           dense search for the mean vector of the question and sampled texts
    query2doc      lexical search for the question, five times, and the greedy text
    generated      only texts that the language model wrote itself (generate-then-read): one,
                   greedy; several samples; one for each cluster of demonstrations
    generated, then fused; fused, then generated
                   the greedy text and passages, in two orders
    gold           only the gold passages: the upper bound
    gold + distractors
                   gold passages in random order among the best passages without an answer
    random         passages drawn at random: the lower bound
    without gold   fused, with the gold passages filtered out, as if the collection lacked them
    top of sources no reader: the first words of the sources of `fused`, best source first, as many
                   as the extractive answer has

Each row is compared with the best row of a single leg, with the same reader and budget and on the
same questions, by paired randomisation tests on `match` and F1, with Holm's correction over the
rows and the measures of a set and reader. Times are CPU time, without that of writing the texts.
Answers and generated texts are kept as they are made, so an interrupted run continues. After
`--minutes`, rows of the language model that are not complete are left out.

MuSiQue has no answers here: only its citations are compared with its gold passages. The rule of
abstention is fitted to one half of the questions of a set, and measured on the other half and on
the other sets, with and without gold passages. Accuracy is the share of the answered questions
whose sources contain the answer, and the share whose extractive answer is right.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import random
from pathlib import Path
from time import perf_counter
from typing import Any

from common.answers import analyses, lists, tables
from common.answers.abstaining import abstention
from common.answers.asking import Asking, opened
from common.answers.citing import citations
from common.answers.rows import ROWS
from common.answers.texts import kept
from common.datasets import DATA

from twindex.eval import BeirDataset
from twindex.eval.answers import QuestionSet

BUDGET_ROWS = (
    *("lexical", "sparse", "dense", "late", "fused", "fused + rerank", "HyDE", "query2doc"),
    *("gold", "random", "without gold"),
)
K_ROWS = {
    1: ("lexical", "sparse", "dense", "late", "fused", "fused + rerank", "random"),
    5: (
        *("lexical", "sparse", "dense", "late", "fused", "fused + rerank"),
        *("gold + distractors", "random", "without gold"),
    ),
    20: ("lexical", "sparse", "dense", "late", "fused", "fused + rerank", "random"),
}
"""Rows of the extractive reader."""
MODEL_PLAN: tuple[tuple[str, int | None], ...] = (
    *((name, None) for name in ("fused", "closed book", "gold", "lexical", "dense")),
    *((f"generated, {way}", None) for way in ("greedy", "sampled", "clustered")),
    *((name, None) for name in ("generated, then fused", "fused, then generated")),
    *((name, None) for name in ("without gold", "HyDE", "query2doc")),
    *(("fused", 1), ("gold + distractors", 5)),
    *((name, None) for name in ("sparse", "late", "fused + rerank", "random")),
    ("fused", 5),
    *(("generated, then fused", 5), ("fused, then generated", 5)),
)
"""Rows of the language model, the most important first, with their numbers of texts."""

LEAST = 20
"""Demonstrations show no passages of so many questions, even if fewer are asked first."""


def sample(questions: QuestionSet, count: int, seed: int) -> QuestionSet:
    """A random sample that depends only on the seed."""
    every = sorted(questions.questions, key=lambda question: question.id)
    chosen = random.Random(seed).sample(every, min(count, len(every)))
    return dataclasses.replace(questions, questions=chosen)


def measured(asking: Asking, few: QuestionSet, until: float) -> dict[str, Any]:
    """The figures of a set."""
    own: list[tables.Measured] = []
    left_out = []
    plan: list[tuple[str, str, int | None]] = [("extractive", row, None) for row in BUDGET_ROWS]
    plan += [("extractive", row, k) for k, names in K_ROWS.items() for row in names]
    plan += [("model", row, k) for row, k in MODEL_PLAN]
    for reader, name, k in plan:
        row = ROWS[name]
        model = reader == "model" or row.needs_model
        if model and asking.model is None:
            continue
        questions = few if model else asking.questions
        records = asking.records(row, reader, k, questions, until if reader == "model" else None)
        if records is None:
            left_out.append(f"{name}, {k} texts" if k else name)
            continue
        own.append(tables.measured(row.name, reader, k, records, questions))
        if (reader, name, k) == ("extractive", "fused", None):
            first = {id_: tables.top_of_sources(record) for id_, record in records.items()}
            own.append(tables.measured(tables.FIRST, reader, k, first, questions))
        print(asking.name, own[-1].line(), flush=True)
    tables.compared(own)
    return {
        "columns": list(tables.COLUMNS),
        "rows": [one.cells() for one in own],
        "left_out": left_out,
        "alone": analyses.alone(own),
        "first_words": analyses.against_first_words(own),
        "conflicts": analyses.conflicts(own),
        "popularity": analyses.popularity(own, asking.questions, asking.texts, asking.titles),
        "lists": lists.all_lists(asking, few),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--sets", default="xquad_en,nq_open_oracle")
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--llm-questions", type=int, default=20, help="0: no language model")
    parser.add_argument("--llm", default="SmolLM2-135M-Instruct", help="language model")
    parser.add_argument("--base-url", help="address of an OpenAI-compatible server with the model")
    parser.add_argument("--minutes", type=float, default=600, help="for rows of the model")
    parser.add_argument("--context", type=int, default=500, help="tokens or words of a context")
    parser.add_argument("--max-tokens", type=int, default=60, help="tokens or words of an answer")
    parser.add_argument("--background-tokens", type=int, default=100, help="of a generated text")
    parser.add_argument("--texts", type=int, default=3, help="generated texts, if several")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    until = perf_counter() + 60 * options.minutes
    figures: dict[str, Any] = {
        "llm": options.llm, "context": options.context, "max_tokens": options.max_tokens,
        "background_tokens": options.background_tokens, "texts": options.texts, "sets": {},
    }  # fmt: skip
    sets: dict[str, Any] = {}
    for name in options.sets.split(","):
        dataset = BeirDataset.open(DATA / name)
        every = QuestionSet.of(dataset)
        questions = sample(every, options.questions, options.seed)
        few = sample(questions, options.llm_questions, options.seed)
        asking = Asking(name, opened(name, dataset), questions, options)
        if options.llm_questions:
            unseen = sample(questions, max(options.llm_questions, LEAST), options.seed)
            asking.write(every, few, unseen)
        sets[name] = asking.collection, questions
        figures["sets"][name] = measured(asking, few, until)
    made = [options.sets, options.questions, options.seed, asking.fields("extractive")]
    figures["abstention"] = kept(
        "abstention", made, lambda: abstention(sets, asking.fields("extractive"))
    )
    made = [options.context, options.max_tokens]
    figures["citations"] = kept("citations", made, lambda: citations(options))
    for row in (*figures["abstention"], *figures["citations"]["rows"]):
        print(row)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
