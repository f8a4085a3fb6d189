"""The REBEL reranker: a language model scores hits by several criteria."""

from __future__ import annotations

from collections.abc import Generator, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal, cast

from ...ask import Cost, Judgement, digest
from ...ask.answers import BadAnswer
from ...ask.reading import SLACK, Extract, Reader
from ...core import ModelError
from ...core.bounds import Bounds, Tokens
from ...llm import GenerativeModel, Sampling
from ...llm.protocol import unsupported
from ..config import RERANKERS, PromptingConfig, Shorthand
from ..placing import Course, Outcome, Placing
from ..protocol import Budget, Needs, Reranked, Task
from ..scoring import ranked_by_score
from . import prompts
from .answers import read_criteria, read_scores
from .scores import Criteria, Scores, order

CACHED_ANSWERS = 10_000
"""Maximum number of cached answers. An answer has a few hundred characters."""

INFERRED_TOKENS = 700
"""Maximum tokens of an answer that lists criteria."""

AROUND_TOKENS = 48
"""Maximum tokens of an answer outside its JSON objects."""


@RERANKERS.register
class CriteriaConfig(PromptingConfig):
    """REBEL (2025): a language model scores each hit by relevance and other criteria. The weighted
    sum of these scores orders the hits."""

    made_by = ".reranker:CriteriaReranker"
    shorthand = Shorthand(
        words={"criteria": {}, "criteria-two-turn": {"turns": 2}}, argument="llm.model"
    )

    kind: Literal["criteria"] = "criteria"
    turns: Literal[1, 2] = 1
    """1 = relevance and five fixed criteria; 2 = the model first infers criteria that suit the
    query."""
    batch: Annotated[int, Bounds(1, 100)] = 10
    """Number of passages judged in one call."""
    weight: Annotated[float, Bounds(0, 2)] = 0.5
    """Weight of fixed criteria, and of inferred criteria for which the model gives no weight."""
    discard: Annotated[float, Bounds(0, 10)] = 3.0
    """Minimum relevance (0 to 10); hits with less relevance follow all other hits."""
    relevance_only: bool = False
    """True: only relevance is scored. With two turns, the prompt contains the inferred criteria, to
    explain what relevance means for the query."""
    passage_tokens: Tokens = 256
    """Maximum tokens read of each passage; longer passages are cut."""


@dataclass(frozen=True, slots=True)
class _Question:
    """A prompt for the language model.

    prompt:       text of the prompt.
    answer_start: beginning of the answer, which the model continues.
    max_tokens:   maximum tokens of the answer.
    end:          text at which generation stops, because models often continue after it; "": none.
    cut:          digests of the texts that were cut to fit into the prompt.
    """

    prompt: str
    answer_start: str
    max_tokens: int
    end: str = ""
    cut: tuple[bytes, ...] = ()


class CriteriaReranker:
    """REBEL (2025): a language model scores relevance (0 to 10) and other criteria, as JSON.

    The answers are checked, and hits are sorted by relevance + sum of weight x score of the other
    criteria.

    With one turn, there are five fixed criteria from 0 to 5 (`prompts.FIXED`); n hits take
    ceil(n / batch) calls. With two turns, one more call first infers criteria, ranges and weights
    from the query. With `relevance_only`, only relevance is scored. With `relevance_only` and two
    turns, the inferred criteria describe relevance in the prompt.

    Ties are broken by a criterion, and then by the original order. With one turn, this is the
    criterion "authoritativeness". With two turns, the model chooses an inferred criterion. The
    paper drops documents with a relevance below `discard`. Here these documents follow all others,
    their score is their relevance, and their reasons have an entry `discarded`.

    After an invalid answer, the prompt is sent once more, with the error. If the second answer is
    invalid too, the hits of the batch are not judged, and the status is "partial"; it is "failed"
    if no batch was judged. Scores of different batches are only roughly comparable; the reasons of
    a hit have the number of its batch.
    """

    kind = "criteria"
    needs = Needs()

    def __init__(self, config: CriteriaConfig, model: GenerativeModel | None = None) -> None:
        """Create a reranker.

        model: the language model; None: load the one that `config` describes.

        Raises UnsupportedError for a model that cannot generate text, and ConfigError if a prompt
        for `batch` passages is longer than the model can read.
        """
        self._config = config
        loaded = config.language_model() if model is None else model
        if "generate" not in loaded.capabilities:
            raise unsupported(loaded, "generate")
        found = cast(GenerativeModel, loaded)
        self._reader = Reader(found, config.passage_tokens)
        self._placing: Placing[_Question, str] = Placing(
            _Judge(found, self._reader), remembered=CACHED_ANSWERS
        )
        scored = () if config.relevance_only else prompts.FIXED
        fixed = tuple(replace(one, weight=config.weight) for one in scored)
        self._fixed = Criteria(fixed, prompts.AUTHORITY if fixed else None)
        empty = self._judge("", [Extract("", 0, False)] * config.batch, self._fixed)
        texts = config.batch * config.passage_tokens
        tokens = self._reader.count(empty.prompt) + texts + empty.max_tokens
        self._reader.check_limit(tokens, field="batch")

    def rerank(self, tasks: Sequence[Task], budget: Budget | None = None) -> list[Reranked]:
        return self._placing.rerank(tasks, self._course, budget)

    def _course(self, task: Task) -> Course[_Question, str]:
        size, count = self._config.batch, len(task.candidates)
        batches = [range(begin, min(begin + size, count)) for begin in range(0, count, size)]
        query = self._reader.query(task.query).text
        criteria: Criteria | None = self._fixed
        if batches and self._config.turns == 2:
            criteria = yield from self._infer_criteria(query)
        if criteria is None:
            return ranked_by_score([None] * count)
        judged: list[Scores | None] = [None] * count
        texts = [self._reader.passage(one.read(self._config.text)) for one in task.candidates]
        questions = [self._judge(query, [texts[i] for i in batch], criteria) for batch in batches]
        answers = yield questions
        bad = _parse_answers(dict(zip(batches, answers, strict=True)), judged, criteria)
        reached = None not in answers
        if bad:
            by_batch = dict(zip(batches, questions, strict=True))
            answers = yield [_retry(by_batch[batch], error) for batch, error in bad.items()]
            reached = reached and None not in answers
            last = _parse_answers(dict(zip(bad, answers, strict=True)), judged, criteria)
            bad = {b: last.get(b, error) for b, error in bad.items() if judged[b[0]] is None}
        if bad and reached and not any(judged):
            raise ModelError(
                f"all answers of the language model are invalid ({next(iter(bad.values()))}); use "
                "another model"
            )
        warnings = [
            f"candidates {batch[0] + 1} to {batch[-1] + 1} were not judged, because the model's "
            f"answer is invalid: {error}"
            for batch, error in bad.items()
        ]
        numbers = [i // size + 1 for i in range(count)]
        found = order(judged, numbers, criteria, self._config.discard)
        return Outcome(found, complete=not bad, warnings=warnings)

    def _infer_criteria(
        self, query: str
    ) -> Generator[Sequence[_Question], Sequence[str | None], Criteria | None]:
        """Ask the model for criteria that suit a query. Return None if the budget is too small.

        Raises ModelError if the first answer and the answer to a second prompt are invalid.
        """
        question = _Question(prompts.INFER.format(query=query), "{", INFERRED_TOKENS)
        error = ""
        for attempt in range(2):
            (answer,) = yield [_retry(question, error) if attempt else question]
            if answer is None:
                return None
            try:
                criteria = read_criteria(answer, self._config.weight)
            except BadAnswer as bad:
                error = str(bad)
            else:
                return replace(criteria, scored=not self._config.relevance_only)
        raise ModelError(
            f"the language model returned no valid criteria for the query ({error}); use another "
            "model, or set `turns` to 1"
        )

    def _judge(self, query: str, texts: Sequence[Extract], criteria: Criteria) -> _Question:
        prompt = prompts.judge(query, [text.text for text in texts], criteria)
        # The answer may be indented, with each name on its own line.
        one = self._reader.count(prompts.example(criteria)) + 4 * (
            len(criteria.scored_criteria) + 2
        )
        cut = tuple(digest(text.text) for text in texts if text.truncated)
        return _Question(prompt, "[", len(texts) * one + AROUND_TOKENS, "]", cut)


class _Judge:
    """A judge that answers questions (prompts) with a language model."""

    def __init__(self, model: GenerativeModel, reader: Reader) -> None:
        self._model = model
        self._reader = reader

    def costs(self, questions: Sequence[_Question]) -> list[Cost]:
        return [Cost(1, self._tokens(one) + one.max_tokens) for one in questions]

    def ask(self, questions: Sequence[_Question]) -> list[Judgement[str]]:
        groups: dict[Sampling, list[int]] = {}
        for i, question in enumerate(questions):
            groups.setdefault(self._sampling(question), []).append(i)
        found: dict[int, Judgement[str]] = {}
        for sampling, numbers in groups.items():
            group = [questions[i] for i in numbers]
            inputs = [self._reader.prompt(one.prompt, self._answer_start(one)) for one in group]
            generated = self._model.generate(inputs, sampling)
            for i, question, one in zip(numbers, group, generated, strict=True):
                text = self._answer_start(question) + one.text
                found[i] = Judgement(text, one.usage, question.cut)
        return [found[i] for i in range(len(questions))]

    def key(self, question: _Question) -> Hashable:
        return digest(question.prompt)

    def _tokens(self, question: _Question) -> int:
        """Return the number of tokens of a prompt.

        The chat template is counted separately, because names of special tokens become special
        tokens only in the template.
        """
        frame = self._reader.frame("", self._answer_start(question))
        return frame + self._reader.count(question.prompt) + SLACK

    def _sampling(self, question: _Question) -> Sampling:
        stop = (question.end,) if question.end and self._answer_start(question) else ()
        return Sampling(max_tokens=question.max_tokens, stop=stop)

    def _answer_start(self, question: _Question) -> str:
        """Return the answer's beginning; "" for a server, because servers may not continue it."""
        return "" if self._reader.remote else question.answer_start


def _retry(question: _Question, error: str) -> _Question:
    """Return the question with the error of its previous answer added to the prompt."""
    return replace(question, prompt=question.prompt + prompts.AGAIN.format(error=error))


def _parse_answers(
    answers: Mapping[range, str | None], judged: list[Scores | None], criteria: Criteria
) -> dict[range, str]:
    """Parse answers and store their scores in `judged`.

    answers: batch (positions of its candidates) -> answer; None if the budget ran out.
    judged:  scores of every candidate.

    Returns batch -> error, for each batch with an invalid answer.
    """
    bad = {}
    for batch, answer in answers.items():
        if answer is None:
            continue
        try:
            scores = read_scores(answer, len(batch), criteria)
        except BadAnswer as error:
            bad[batch] = str(error)
        else:
            judged[batch.start : batch.stop] = scores
    return bad
