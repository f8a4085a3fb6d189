"""Computes the likelihoods of continuations of prompts with a causal model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ...core import Usage
from .. import boundary
from ..batching import batches
from ..prompts import PromptTokens, check_lengths, shared
from ..protocol import Likelihoods, Prompt, check_prompts
from ..tokenizer import Tokenizer
from .decoding import Decoding, Reader

POSITIONS = 1_024
"""Maximum number of positions whose logits a batch computes at the same time."""

Tails = Sequence[Sequence[int]]


def likelihood(
    model: Reader,
    tokenizer: Tokenizer,
    prompts: Sequence[Prompt],
    continuations: Sequence[str],
) -> Likelihoods:
    """Return the log-likelihood of each continuation after each prompt.

    The log-likelihood is the sum of log p(t | prompt, tokens before t) over the tokens t of the
    continuation. The model reads each prompt once. If all prompts share a prefix, the model reads
    it only once. A continuation of one token needs no further pass. Longer continuations reuse the
    keys and values of their prompt.

    Raises InvalidInputError for a continuation without tokens, and if a prompt and its longest
    continuation together exceed the model's limit.
    """
    check_prompts(prompts)
    boundary.check(continuations)
    shape = (len(prompts), len(continuations))
    total, counts, usage = np.zeros(shape), np.zeros(shape, np.int64), Usage()
    if not total.size:
        return Likelihoods(total, counts)
    parted = [PromptTokens(tokenizer, prompt).parted(continuations) for prompt in prompts]
    heads, tails = [head for head, _ in parted], [tails for _, tails in parted]
    boundary.check_tokens(tails)
    counts[:] = [list(map(len, of_one)) for of_one in tails]
    check_lengths(list(map(len, heads)), counts.max(axis=1).tolist(), model.limit)
    prefix = shared([head[:-1] for head in heads])
    for batch in batches([len(head) - len(prefix) for head in heads], model.batch_tokens):
        decoding = model.start([heads[number][len(prefix) :] for number in batch], prefix)
        scores, more = _scores(decoding, [tails[number] for number in batch], model.batch_tokens)
        total[batch] = scores
        usage += decoding.usage + more
    return Likelihoods(total, counts, usage)


def _scores(
    decoding: Decoding, tails: Sequence[Tails], budget: int
) -> tuple[np.ndarray[tuple[int, int], np.dtype[np.float64]], Usage]:
    """Return the log-likelihoods [n, c] of c continuations after n prompts, and the usage.

    decoding: the prompts, which the model has read.
    tails:    for each prompt, the tokens of each continuation.
    budget:   maximum number of padded tokens in a batch.
    """
    usage = Usage()
    first = torch.tensor([[tail[0] for tail in of_one] for of_one in tails])
    scores = _logarithms(decoding.logits, first)
    pairs = [
        (row, column)
        for row, of_one in enumerate(tails)
        for column, tail in enumerate(of_one)
        if len(tail) > 1
    ]
    lengths = decoding.lengths
    costs = [
        max(lengths[row] + len(tails[row][column]), len(tails[row][column]) * budget // POSITIONS)
        for row, column in pairs
    ]
    for batch in batches(costs, budget):
        chosen = [pairs[number] for number in batch]
        rest = [tails[row][column] for row, column in chosen]
        going = decoding.select([row for row, _ in chosen])
        logits = going.feed([tail[:-1] for tail in rest])
        usage += going.usage
        for number, ((row, column), tail) in enumerate(zip(chosen, rest, strict=True)):
            following = torch.tensor(tail[1:])[:, None]
            values = _logarithms(logits[number, : len(tail) - 1], following)
            scores[row, column] += values.sum()
    return scores, usage


def _logarithms(
    logits: torch.Tensor, tokens: torch.Tensor
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return the log probability of each token, [n, k].

    logits: [n, vocabulary].
    tokens: int64 [n, k], k alternative next tokens for each row of logits.
    """
    scores = logits.float()
    chosen = scores.gather(1, tokens.to(scores.device)) - scores.logsumexp(dim=1, keepdim=True)
    return chosen.double().cpu().numpy()
