"""Generates text with a causal model. Prompts of similar length are continued as one batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from time import perf_counter

import numpy as np
import torch

from ...core import Usage
from ..batching import batches
from ..prompts import PromptTokens, check_lengths, shared
from ..protocol import Chunk, Completion, Finish, Prompt, Sampling, check_prompts
from ..stopping import check_caller
from ..tokenizer import Tokenizer
from ..writing import Writing
from .decoding import Decoding, Reader

PIECE = 256
"""Maximum number of tokens of a prompt that `stream` reads without a pause."""


class Row:
    """One prompt and the text that is generated after it."""

    def __init__(self, tokenizer: Tokenizer, prompt: Prompt, sampling: Sampling) -> None:
        self.prompt = PromptTokens(tokenizer, prompt).whole()
        self.tokens: list[int] = []
        self.finish: Finish | None = None
        self.writing = Writing(tokenizer.decode, self.prompt, sampling.stop)
        # Each row has its own generator, so its text does not depend on the rest of the batch.
        self.random = np.random.default_rng(sampling.seed)
        self._special = tokenizer.special_tokens
        self._max_tokens = sampling.max_tokens

    def add(self, token: int, *, end: bool) -> None:
        self.tokens.append(token)
        if not end and token not in self._special:
            self.writing.add(token)
        if end or self.writing.ended:
            self.finish = "stop"
        elif len(self.tokens) == self._max_tokens:
            self.finish = "length"
        if self.finish is not None:
            self.writing.close()
            if self.writing.ended:
                self.finish = "stop"


def generate(
    model: Reader, tokenizer: Tokenizer, prompts: Sequence[Prompt], sampling: Sampling
) -> list[Completion]:
    """Return a generated text for each prompt.

    Every prompt uses the same seed, so a batch returns the same texts as a separate call for each
    prompt, up to rounding. If all prompts share a prefix, the model reads it only once.

    Raises InvalidInputError if a prompt and `max_tokens` together exceed the model's limit, and
    CallerLeft if nobody waits for the texts any more.
    """
    check_prompts(prompts)
    rows = _rows(model, tokenizer, prompts, sampling)
    usages = [Usage()] * len(rows)
    prefix = shared([row.prompt[:-1] for row in rows])
    lengths = [len(row.prompt) - len(prefix) for row in rows]
    for batch in batches(lengths, model.batch_tokens):
        check_caller()
        begun = perf_counter()
        together = [rows[number] for number in batch]
        decoding = model.start([row.prompt[len(prefix) :] for row in together], prefix)
        # The first row counts the tokens of a prefix that was not kept; the others reuse it.
        unpaid = len(together) * len(prefix) - decoding.usage.cached_tokens
        for _ in _steps(model, decoding, together, sampling):
            check_caller()
        seconds = (perf_counter() - begun) / len(together)
        for number, row in zip(batch, together, strict=True):
            usages[number] = Usage(
                calls=1,
                prompt_tokens=len(row.prompt),
                cached_tokens=len(prefix) - unpaid,
                completion_tokens=len(row.tokens),
                seconds=seconds,
            )
            unpaid = 0
    return [
        Completion(row.writing.text, row.finish or "stop", usage)
        for row, usage in zip(rows, usages, strict=True)
    ]


def stream(
    model: Reader, tokenizer: Tokenizer, prompt: Prompt, sampling: Sampling
) -> Iterator[Chunk]:
    """Yield a generated text in pieces, then an empty chunk with `finish` and `usage`.

    The end of the text is held back while it may be a part of a character or of a stop string.

    A long prompt is read in pieces, and an empty chunk follows each piece. A caller that closes the
    iterator after such a chunk saves the work of reading the other pieces.
    """
    begun = perf_counter()
    (row,) = _rows(model, tokenizer, [prompt], sampling)
    decoding = model.start([row.prompt[:PIECE]])
    for start in range(PIECE, len(row.prompt), PIECE):
        yield Chunk("")
        decoding.read(row.prompt[start : start + PIECE])
    for _ in _steps(model, decoding, [row], sampling):
        if piece := row.writing.take(last=row.finish is not None):
            yield Chunk(piece)
    usage = Usage(
        calls=1,
        prompt_tokens=len(row.prompt),
        completion_tokens=len(row.tokens),
        seconds=perf_counter() - begun,
    )
    yield Chunk("", row.finish, usage)


def choose(
    logits: torch.Tensor, sampling: Sampling, randoms: Sequence[np.random.Generator]
) -> list[int]:
    """Choose the next token for each row of logits [n, vocabulary].

    Nucleus sampling (Holtzman et al., 2020): the nucleus holds the most likely tokens, up to the
    first one at which their total probability reaches `top_p`. A token of the nucleus is chosen in
    proportion to its probability. With temperature 0, the token with the largest logit is chosen.

    randoms: a random generator for each row; one number is drawn from each.
    """
    if sampling.temperature == 0:
        return [int(token) for token in logits.argmax(dim=1)]
    scores = logits.double().cpu()
    scores = (scores - scores.amax(dim=1, keepdim=True)) / sampling.temperature
    chances, order = scores.softmax(dim=1), None
    if sampling.top_p < 1:
        # Together, all tokens less likely than this have a probability below 1 - top_p, so they are
        # outside the nucleus and need not be sorted.
        least = (1 - sampling.top_p) / chances.shape[1]
        chances, order = chances.topk(int((chances >= least).sum(dim=1).max()), dim=1)
    reached = chances.cumsum(dim=1)
    top_p = torch.full((len(reached), 1), sampling.top_p, dtype=torch.float64)
    last = torch.searchsorted(reached, top_p).clamp(max=reached.shape[1] - 1)
    draws = torch.tensor([[random.random()] for random in randoms], dtype=torch.float64)
    found = torch.searchsorted(reached, draws * reached.gather(1, last), right=True).minimum(last)
    return [int(token) for token in (found if order is None else order.gather(1, found))[:, 0]]


def _rows(
    model: Reader, tokenizer: Tokenizer, prompts: Sequence[Prompt], sampling: Sampling
) -> list[Row]:
    rows = [Row(tokenizer, prompt, sampling) for prompt in prompts]
    lengths = [len(row.prompt) for row in rows]
    check_lengths(lengths, [sampling.max_tokens] * len(rows), model.limit)
    return rows


def _steps(
    model: Reader, decoding: Decoding, rows: Sequence[Row], sampling: Sampling
) -> Iterator[None]:
    """Generate the texts of a batch of prompts (rows), and yield after each step.

    A step adds one token to each unfinished row. Ends when all rows are finished.

    decoding: the prompts, which the model has read.
    """
    alive = list(rows)
    while True:
        tokens = choose(decoding.logits, sampling, [row.random for row in alive])
        for row, token in zip(alive, tokens, strict=True):
            row.add(token, end=token in model.ends)
        yield
        going = [position for position, row in enumerate(alive) if row.finish is None]
        if not going:
            return
        if len(going) < len(alive):
            decoding, alive = decoding.select(going), [alive[position] for position in going]
        decoding.step([row.tokens[-1] for row in alive])
