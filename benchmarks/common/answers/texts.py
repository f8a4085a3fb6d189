"""Texts that a language model writes about questions, kept in a file, so that all rows share them.

    greedy     one text, always the most likely token
    sampled    texts of the same prompt with temperature 0.95
    clustered  one text for each cluster of demonstrations, greedily (GenRead)

Demonstrations are questions with the first words of their gold passages. Questions are written for
in batches.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from common.datasets import CACHE

from twindex.ask import Limits
from twindex.core import UNGUARDED, Guard, Query, Usage
from twindex.encoders.config import ENCODERS
from twindex.encoders.loading import load_encoder
from twindex.eval.answers import QuestionSet
from twindex.generate.background.clusters import groups
from twindex.generate.background.prompts import VERSION, prompt
from twindex.generate.background.protocol import WrittenBackground
from twindex.generate.rewriting import Question, Rewrites, RewrittenText, Use
from twindex.llm import Sampling

WAYS = ("greedy", "sampled", "clustered")
TEMPERATURE = 0.95
"""Of samples, as in GenRead."""
BATCH = 5
"""Questions that are written for together."""
MOST_PAIRS = 200
"""Demonstrations that are clustered, as in GenRead."""
PAIRS = 2
"""Demonstrations in a prompt."""
PAIR_WORDS = 60
"""First words of a gold passage in a demonstration."""

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Written:
    """The texts about one question, and what they cost."""

    texts: Sequence[str]
    usage: Usage


class KeptBackground:
    """Gives the generator texts that are written already."""

    kind = "kept"

    def __init__(self, written: Mapping[str, Written]) -> None:
        self._written = written

    def write(
        self, question: str, limits: Limits | None = None, guard: Guard = UNGUARDED
    ) -> WrittenBackground:
        found = self._written[question]
        return WrittenBackground(found.texts, found.usage)


class KeptRewriter:
    """Gives a search texts that are written already. use: how the search uses them."""

    kind = "kept"

    def __init__(self, written: Mapping[str, Written], use: Use) -> None:
        self._written, self.use = written, use

    def rewrite(
        self,
        questions: Sequence[Question],
        limits: Limits | None = None,
        guard: Guard = UNGUARDED,
    ) -> list[Rewrites]:
        return [
            Rewrites([RewrittenText(text, "passage") for text in found.texts], usage=found.usage)
            for found in (self._written[question.text] for question in questions)
        ]


def demonstrations(
    questions: QuestionSet, asked: Sequence[Query], texts: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Questions that are not asked, each with the start of a gold passage of no asked question.

    texts: document id -> text.
    """
    ids = {question.id for question in asked}
    used = {document for question in asked for document in questions.gold(question.id)}
    pairs = []
    for question in questions.questions:
        gold = sorted(questions.gold(question.id))
        if question.id not in ids and gold and not used & set(gold):
            pairs.append((question.text, " ".join(texts[gold[0]].split()[:PAIR_WORDS])))
    return pairs[:MOST_PAIRS]


def written(
    folder: Path,
    way: str,
    questions: Sequence[Query],
    pairs: Pairs,
    model: Any,
    *,
    count: int,
    max_tokens: int,
    seed: int,
) -> dict[str, Written]:
    """Text of a question -> the texts about it. What `folder` has is not written again.

    pairs: demonstrations for "clustered". count: texts for each question, except for "greedy".
    """
    made = {"model": model.name, "prompt": VERSION, "way": way, "tokens": max_tokens, "seed": seed}
    if way != "greedy":
        made["count"] = count
    if way == "clustered":
        made["pairs"] = digest(pairs)
    path = folder / f"texts-{way}-{digest(made)}.json"
    kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    shots = clustered(pairs, count, seed) if way == "clustered" else [()]
    samples = count if way == "sampled" else 1
    missing = [question.text for question in questions if question.text not in kept]
    for begin in range(0, len(missing), BATCH):
        batch = missing[begin : begin + BATCH]
        found: dict[str, list[Any]] = {text: [] for text in batch}
        for number in range(samples):
            sampling = Sampling(
                max_tokens,
                temperature=TEMPERATURE if way == "sampled" else 0.0,
                seed=seed + number,
            )
            for own in shots:
                prompts = [prompt("qa", text, own, chats=True) for text in batch]
                for text, one in zip(batch, model.generate(prompts, sampling), strict=True):
                    found[text].append((" ".join(one.text.split()), one.usage))
        for text, several in found.items():
            usage = sum((one for _, one in several), Usage())
            kept[text] = {"texts": [one for one, _ in several], "usage": asdict(usage)}
        path.write_text(json.dumps(kept))
        print(f"{path.name}: {len(kept)} questions", flush=True)
    return {text: Written(one["texts"], Usage(**one["usage"])) for text, one in kept.items()}


def clustered(pairs: Pairs, count: int, seed: int) -> list[Pairs]:
    """The demonstrations of each cluster."""
    encoder = load_encoder(ENCODERS.parse({"kind": "dense"}))
    vectors = encoder.encode([f"{one} {other}" for one, other in pairs], role="document").dense
    assert vectors is not None
    return [*groups(pairs, vectors, count, PAIRS, seed)]


def kept(name: str, made: Any, measure: Callable[[], Any]) -> Any:
    """The figures that an earlier run has kept, or those of `measure`, which are kept then.

    made: all that the figures depend on.
    """
    path = CACHE / "answers" / f"{name}-{digest(made)}.json"
    if not path.exists():
        path.write_text(json.dumps(measure()))
    return json.loads(path.read_text())


def digest(value: Any) -> str:
    """A short text that differs for different values."""
    told = json.dumps(value, sort_keys=True, default=str)
    return hashlib.blake2b(told.encode(), digest_size=6).hexdigest()
