"""Cross-encoders: a transformer reads query and passage together (Nogueira and Cho, 2019).

The score equals that of `CrossEncoder.predict` of sentence-transformers: the logit after the
activation function that the model's folder names, by default a sigmoid. Hits are sorted by the
logit, because a sigmoid is flat far from zero. If score and logit differ, the reasons of a hit
contain the logit.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from ...ask import Cost, Judge, Judgement
from ...core import ConfigError, InvalidInputError, Usage
from ..scoring import Question, Scored, ScoringReranker
from .config import CrossEncoderConfig
from .pair_model import Pair, PairModel


@dataclass(frozen=True, slots=True)
class _Answer:
    """The output of a cross-encoder for one query and passage.

    logit: the output before the activation function.
    """

    score: float
    logit: float


@dataclass(slots=True)
class _Question(Question):
    """A query and the text of a hit, with their tokens.

    pair: the tokens of query and text. `costs` stores them here, so that `ask` need not tokenise
          again. Until then, None.
    """

    pair: Pair | None = None


class CrossEncoderReranker(ScoringReranker[_Question, _Answer]):
    """Reranks by the scores of a cross-encoder. Thread-safe.

    A passage that is too long is cut at its end; a query is never cut. `rerank` raises
    InvalidInputError for a query that leaves no room for a passage.

    Creating a reranker raises ModelError if the model cannot be found, read or used, and
    ConfigError for a model with several labels or an option that the model does not support.
    """

    kind = "cross_encoder"

    def __init__(self, config: CrossEncoderConfig) -> None:
        judge: Judge[_Question, _Answer]
        if config.model == "fake":
            judge = _FakeJudge(config)
        else:
            judge = _PairJudge(PairModel.load(config))
        super().__init__(judge, _Question, _scored, part=config.text)


def _scored(answer: _Answer) -> Scored:
    reasons = {} if answer.score == answer.logit else {"logit": answer.logit}
    return Scored(answer.score, reasons, answer.logit)


class _Keyed:
    def key(self, question: _Question) -> Hashable:
        return question.key


class _PairJudge(_Keyed):
    """A judge that scores each question with a `PairModel`."""

    def __init__(self, model: PairModel) -> None:
        self._model = model

    def costs(self, questions: Sequence[_Question]) -> list[Cost]:
        new = [question for question in questions if question.pair is None]
        pairs = self._model.tokenize([question.query for question in new], [q.text for q in new])
        for question, pair in zip(new, pairs, strict=True):
            question.pair = pair
        return [Cost(1, len(question.pair.ids)) for question in questions if question.pair]

    def ask(self, questions: Sequence[_Question]) -> list[Judgement[_Answer]]:
        pairs = [question.pair for question in questions if question.pair is not None]
        for pair in pairs:
            if pair.room < 1:
                raise InvalidInputError(
                    f"has {len(pair.ids)} tokens including special tokens and leaves no room for a "
                    f"passage, because the cross-encoder reads at most {self._model.max_length} "
                    "tokens; shorten the query",
                    field="query",
                )
        scores, logits = self._model.read(pairs)
        return [
            Judgement(
                _Answer(float(score), float(logit)),
                Usage(calls=1, prompt_tokens=len(pair.ids)),
                (question.text,) if pair.truncated else (),
            )
            for question, pair, score, logit in zip(questions, pairs, scores, logits, strict=True)
        ]


class _FakeJudge(_Keyed):
    """A judge without a model: the score is a hash of query and passage, from -4 to 4.

    Each word counts as one token.
    """

    def __init__(self, config: CrossEncoderConfig) -> None:
        if config.precision == "int8" and config.device == "cuda":
            raise ConfigError("int8 runs only on the CPU; use bfloat16 on CUDA", field="precision")
        self._limit = config.max_length

    def costs(self, questions: Sequence[_Question]) -> list[Cost]:
        return [Cost(1, len(self._words(question))) for question in questions]

    def ask(self, questions: Sequence[_Question]) -> list[Judgement[_Answer]]:
        found = []
        for question in questions:
            words = self._words(question)
            hashed = blake2b(" ".join(words).encode(errors="surrogatepass"), digest_size=4).digest()
            logit = int.from_bytes(hashed, "big") / 2**29 - 4
            cut = len(words) < len(question.query.split()) + len(question.text.split())
            usage = Usage(calls=1, prompt_tokens=len(words))
            found.append(Judgement(_Answer(logit, logit), usage, (question.text,) if cut else ()))
        return found

    def _words(self, question: _Question) -> list[Any]:
        query = question.query.split()
        room = None if self._limit is None else max(0, self._limit - len(query))
        return [*query, *question.text.split()[:room]]
