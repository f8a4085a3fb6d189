"""Time of an answer around its model: context, first token, tokens per second, closing a stream.

    python benchmarks/run.py answering --questions 5

- Context: choosing the sources among passages that all fit, with the tokenizer of the model. `new`
  passages are counted for the first time, `known` ones were counted for an earlier question.
- Answers: the generator of an answer as a stream, and the bare model with the same prompts, in
  turns. The first text of an answer may come later than the first token of its model, because a
  text that may become a refusal is held back.
- Closing: from closing the iterator of an answer until the thread of its model has ended.
- Leaving: from the moment that a client of a server leaves until its thread serves another one.
- Suggestions: terms near a misspelled word, in a dictionary of words that are put together from
  halves of the words of the data set.
"""

from __future__ import annotations

import argparse
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from statistics import median
from time import perf_counter, process_time
from typing import Any

import numpy as np
from common import datasets
from common.leaving import leaving

from twindex.ask import LanguageModelConfig
from twindex.ask.loading import load_language_model
from twindex.ask.reading import Reader
from twindex.core.answers import DoneEvent, SourcesEvent, TextEvent
from twindex.generate import (
    AnswerOptions,
    Candidate,
    ContextOptions,
    LanguageModelGeneratorConfig,
    Task,
)
from twindex.generate.context import build_context
from twindex.generate.context.sizes import Sizes
from twindex.generate.writers.language_model import generator
from twindex.generate.writers.prompts import conversation, source_text
from twindex.index.interpreting import compile_always
from twindex.index.inverted.near_terms import Signatures, near_terms
from twindex.llm import GenerativeModel, Sampling

BOUNDARY = "=== 7f3a9c0e5b1d ==="
SENT = (10, 100)
LETTERS = 800
"""Characters of a passage."""
THREAD = "twindex-answer"


def passages(texts: Sequence[str], count: int, first: int) -> list[Candidate]:
    """Different passages, from the text number `first` on."""
    chosen = [text[:LETTERS] for text in texts[first * count : (first + 1) * count]]
    return [Candidate(f"{first}-{n}", text, 0, len(text)) for n, text in enumerate(chosen)]


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    """Milliseconds by wall clock and by CPU time."""
    wall, cpu = perf_counter(), process_time()
    work()
    return (perf_counter() - wall) * 1e3, (process_time() - cpu) * 1e3


def contexts(model: GenerativeModel, texts: Sequence[str], turns: int) -> list[dict[str, Any]]:
    """Milliseconds to choose the sources of a prompt: medians over the turns."""
    count = Reader(model, passage_tokens=1).count
    rows = []
    for sent in SENT:
        sizes = Sizes(count, lambda source: source_text(source, BOUNDARY))
        options = ContextOptions(tokens=1_000_000, passages=sent)
        taken: dict[str, list[tuple[float, float]]] = {"new": [], "known": []}
        tokens = []
        for turn in range(turns):
            found = passages(texts, sent, turn)
            for seen in taken:
                taken[seen].append(timed(lambda: build_context(found, options, 10**6, sizes)))  # noqa: B023
            tokens.append(build_context(found, options, 10**6, sizes).tokens)
        for seen, own in taken.items():
            wall, cpu = (median(one) for one in zip(*own, strict=True))
            rows.append({"passages": sent, "seen": seen, "tokens": median(tokens), "ms": wall,
                         "cpu_ms": cpu})  # fmt: skip
    return rows


def run_of(pieces: Iterator[tuple[str, int]]) -> tuple[float, float]:
    """Milliseconds until the first text, and tokens per second from there on.

    pieces: texts, each with the number of tokens written so far (0: unknown yet).
    """
    began, first, tokens = perf_counter(), 0.0, 0
    for text, written in pieces:
        if text and not first:
            first = perf_counter()
        tokens = written or tokens
    first = first or perf_counter()
    return (first - began) * 1e3, (tokens - 1) / max(1e-9, perf_counter() - first)


def answers(
    model: GenerativeModel, texts: Sequence[str], questions: Sequence[str], max_tokens: int
) -> dict[str, Any]:
    """The generator and the bare model, in turns on the same prompts: medians."""
    writer = generator(LanguageModelGeneratorConfig(), model, lambda: BOUNDARY)
    options = AnswerOptions(max_tokens=max_tokens, context=ContextOptions(tokens=900, passages=3))
    taken: dict[str, list[tuple[float, float]]] = {"answer": [], "model": []}
    for number, question in enumerate(questions):
        task = Task(question, passages(texts, 3, number), options)
        (whole,) = writer.answer([task])
        prompt = conversation(task, whole.sources, BOUNDARY)

        def answer(task: Task = task) -> Iterator[tuple[str, int]]:
            for event in writer.stream(task):
                if isinstance(event, TextEvent):
                    yield event.text, 0
                elif isinstance(event, DoneEvent):
                    yield "", event.answer.usage.completion_tokens

        def bare(prompt: Any = prompt) -> Iterator[tuple[str, int]]:
            for chunk in model.stream(prompt, Sampling(max_tokens=max_tokens)):
                yield chunk.text, 0 if chunk.usage is None else chunk.usage.completion_tokens

        taken["answer"].append(run_of(answer()))
        taken["model"].append(run_of(bare()))
    found: dict[str, Any] = {"questions": len(questions), "max_tokens": max_tokens}
    for name, own in taken.items():
        first, speed = (median(one) for one in zip(*own, strict=True))
        found[name] = {"first_ms": first, "tokens_per_second": speed}
    return found


def closing(
    model: GenerativeModel, texts: Sequence[str], questions: Sequence[str]
) -> dict[str, Any]:
    """Milliseconds from closing a stream until the thread of the model has ended."""
    writer = generator(LanguageModelGeneratorConfig(), model, lambda: BOUNDARY)
    options = AnswerOptions(max_tokens=200, context=ContextOptions(tokens=900, passages=3))
    taken = []
    for number, question in enumerate(questions):
        events = writer.stream(Task(question, passages(texts, 3, number), options))
        read = 0
        for event in events:
            read += not isinstance(event, SourcesEvent)
            if read == 3:
                break
        began = perf_counter()
        events.close()  # type: ignore[attr-defined]
        for thread in threading.enumerate():
            if thread.name == THREAD:
                thread.join()
        taken.append((perf_counter() - began) * 1e3)
    return {"streams": len(taken), "median_ms": median(taken), "most_ms": max(taken)}


def suggestions(texts: Sequence[str], terms: int, words: int) -> dict[str, Any]:
    """CPU milliseconds to find the terms near a misspelled word."""
    compile_always()
    random = Random(0)
    known = sorted({word for text in texts for word in text.lower().split() if word.isalpha()})
    known = [word for word in known if 4 <= len(word) <= 12]
    made: set[str] = set(known[:terms])
    while len(made) < terms:
        one, other = random.choice(known), random.choice(known)
        made.add(one[: len(one) // 2 + 1] + other[len(other) // 2 :])
    raw = [term.encode() for term in random.sample(sorted(made), terms)]
    offsets = np.cumsum([0, *map(len, raw)], dtype=np.int64)
    joined = np.frombuffer(b"".join(raw), dtype=np.uint8)
    _, built = timed(lambda: Signatures(offsets, joined))
    signatures = Signatures(offsets, joined)
    taken = []
    for word in random.sample([word for word in known if len(word) > 5], words + 1):
        wrong = (word[:3] + word[4:]).encode()
        taken.append(
            timed(lambda: near_terms(offsets, joined, wrong, wrong[:-2], 2, signatures))[1]  # noqa: B023
        )
    return {"terms": terms, "words": words, "cpu_ms": median(taken[1:]),
            "most_cpu_ms": max(taken[1:]), "built_cpu_ms": built}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--model", default="SmolLM2-135M-Instruct")
    parser.add_argument("--turns", type=int, default=20, help="contexts of each size")
    parser.add_argument("--questions", type=int, default=10)
    parser.add_argument("--leavers", type=int, default=8, help="clients that leave, of each kind")
    parser.add_argument("--max-tokens", type=int, default=64)
    parser.add_argument("--terms", type=int, default=1_000_000, help="terms of the dictionary")
    parser.add_argument("--words", type=int, default=50, help="misspelled words")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    folder = datasets.DATA / "scifact"
    texts = [text for text in datasets.corpus_texts(folder) if len(text) >= LETTERS]
    questions = datasets.query_texts(folder)[: options.questions]
    model: Any = load_language_model(LanguageModelConfig(model=options.model))
    figures: dict[str, Any] = {"model": options.model}
    steps: dict[str, Callable[[], Any]] = {
        "contexts": lambda: contexts(model, texts, options.turns),
        "answers": lambda: answers(model, texts, questions, options.max_tokens),
        "closing": lambda: closing(model, texts, questions),
        "leaving": lambda: leaving(options.model, texts[:200], questions[: options.leavers]),
        "suggestions": lambda: suggestions(texts, options.terms, options.words),
    }
    for name, step in steps.items():
        figures[name] = step()
        print(name, json.dumps(figures[name]), flush=True)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
