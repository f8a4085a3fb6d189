"""Text from a causal model: prompts of similar length are continued together, token by token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from time import perf_counter

import numpy as np
import torch

from ...core import Usage
from ..batching import batches
from ..prompts import PromptTokens, check_lengths, shared
from ..protocol import Chunk, Completion, Finish, Prompt, Sampling, check_prompts
from ..tokenizer import Tokenizer
from ..writing import Writing
from .decoding import Decoding, Reader


class Row:
    """One prompt and what is written after it."""

    def __init__(self, tokenizer: Tokenizer, prompt: Prompt, sampling: Sampling) -> None:
        self.prompt = PromptTokens(tokenizer, prompt).whole()
        self.tokens: list[int] = []
        self.finish: Finish | None = None
        self.writing = Writing(tokenizer.decode, self.prompt, sampling.stop)
        # Of its own, so that a text does not depend on the others of its batch.
        self.random = np.random.default_rng(sampling.seed)
        self._silent = tokenizer.special_tokens
        self._most = sampling.max_tokens

    def add(self, token: int, *, end: bool) -> None:
        self.tokens.append(token)
        if not end and token not in self._silent:
            self.writing.add(token)
        if end or self.writing.ended:
            self.finish = "stop"
        elif len(self.tokens) == self._most:
            self.finish = "length"
        if self.finish is not None:
            self.writing.close()
            if self.writing.ended:
                self.finish = "stop"


def generate(
    model: Reader, tokenizer: Tokenizer, prompts: Sequence[Prompt], sampling: Sampling
) -> list[Completion]:
    """A text for each prompt. The seed is that of each text, so a batch gives what its prompts give
    one by one (up to rounding). What all prompts begin with is read once.

    Raises InvalidInputError for a prompt that leaves no room for `max_tokens`.
    """
    check_prompts(prompts)
    rows = _rows(model, tokenizer, prompts, sampling)
    usages = [Usage()] * len(rows)
    prefix = shared([row.prompt[:-1] for row in rows])
    lengths = [len(row.prompt) - len(prefix) for row in rows]
    for batch in batches(lengths, model.batch_tokens):
        begun = perf_counter()
        together = [rows[number] for number in batch]
        decoding = model.start([row.prompt[len(prefix) :] for row in together], prefix)
        # Of a prefix that was not known, the first row pays for all.
        unpaid = len(together) * len(prefix) - decoding.usage.cached_tokens
        for _ in _steps(model, decoding, together, sampling):
            pass
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
    """A text in pieces, which end before what may become a stop string or is half a character."""
    begun = perf_counter()
    (row,) = _rows(model, tokenizer, [prompt], sampling)
    for _ in _steps(model, model.start([row.prompt]), [row], sampling):
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
    """A token for each row of logits [n, vocabulary], with one random number of each row's own.

    Nucleus sampling (Holtzman et al., 2020): tokens in descending order up to the first with which
    their probabilities reach `top_p`; among these, each by its probability.
    """
    if sampling.temperature == 0:
        return [int(token) for token in logits.argmax(dim=1)]
    scores = logits.double().cpu()
    scores = (scores - scores.amax(dim=1, keepdim=True)) / sampling.temperature
    chances, order = scores.softmax(dim=1), None
    if sampling.top_p < 1:
        # All tokens less likely than this have less than 1 - top_p together: no need to sort them.
        least = (1 - sampling.top_p) / chances.shape[1]
        chances, order = chances.topk(int((chances >= least).sum(dim=1).max()), dim=1)
    reached = chances.cumsum(dim=1)
    top_p = torch.full((len(reached), 1), sampling.top_p, dtype=torch.float64)
    last = torch.searchsorted(reached, top_p).clamp(max=reached.shape[1] - 1)
    draws = torch.tensor([[random.random()] for random in randoms], dtype=torch.float64)
    places = torch.searchsorted(reached, draws * reached.gather(1, last), right=True).minimum(last)
    return [int(token) for token in (places if order is None else order.gather(1, places))[:, 0]]


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
    """Add one token to each row that is not finished, until all are."""
    alive = list(rows)
    while True:
        tokens = choose(decoding.logits, sampling, [row.random for row in alive])
        for row, token in zip(alive, tokens, strict=True):
            row.add(token, end=token in model.ends)
        yield
        going = [place for place, row in enumerate(alive) if row.finish is None]
        if not going:
            return
        if len(going) < len(alive):
            decoding, alive = decoding.select(going), [alive[place] for place in going]
        decoding.step([row.tokens[-1] for row in alive])
