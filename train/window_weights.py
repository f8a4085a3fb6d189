"""Learns the weights of a document's best windows in the document's score, from judgements.

Step 2 of IDCM (Hofstätter et al., 2021) trains these weights, theta, together with the whole model
by RankNet (Burges et al., ICML 2005). Here the costly reranker is not trained, so only theta is
learned: one weight for each of the k best windows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from ..core import InvalidInputError
from ..rerank.intra_document.kernel_scorer import KernelScorer
from .passage_scorer import Example, rank_windows

STEPS, RATE = 300, 0.02


def window_weights(
    scorer: KernelScorer,
    examples: Sequence[Example],
    grades: Mapping[str, Mapping[str, int]],
    *,
    windows: int = 4,
    best: int = 3,
) -> tuple[float, ...]:
    """Return the weights of the best windows, learned from judged queries.

    A document's score is the weighted sum of the costly reranker's scores of its best windows. The
    weights are at least 0, and their mean is 1.

    grades:  query text -> document id -> grade. Documents without a grade have grade 0.
    windows: number of windows that the scorer selects in each document.
    best:    number of windows with the best scores that count in a document's score. The function
             returns `best` weights.

    Documents with fewer than `best` windows are ignored.

    Raises InvalidInputError if, for each query, all of its documents have the same grade.
    """
    if windows < best:
        raise InvalidInputError(f"must be at most `windows` ({windows}), got {best}", field="best")
    judged = [one for one in examples if one.query in grades and len(one.windows) >= best]
    lists: dict[str, list[tuple[int, NDArray[np.float32]]]] = {}
    for one, order in zip(judged, rank_windows(scorer, judged), strict=True):
        grade = grades[one.query].get(one.document, 0)
        picked = np.sort(one.costly[order[:windows]])[::-1]
        lists.setdefault(one.query, []).append((grade, picked[:best]))
    differences = [
        better - worse
        for pairs in lists.values()
        for high, better in pairs
        for low, worse in pairs
        if high > low
    ]
    if not differences:
        raise InvalidInputError(
            "no query has documents with different grades; add judgements, or train without "
            "judgements",
            field="qrels",
        )
    return ranknet(np.array(differences, np.float32))


def ranknet(differences: NDArray[np.float32]) -> tuple[float, ...]:
    """Return the k weights, theta, that minimise the RankNet loss. Their mean is 1.

    The loss is the mean of ln(1 + exp(-theta . difference)) over the pairs. Each weight starts at 1
    and stays at least 0, and the first weight stays above 0. The number of steps is fixed. A
    constant factor in all differences does not change the result.

    differences: float32 [pairs, k]. A row compares two documents with different grades: the
                 scores of the k best windows in the document with the higher grade, minus the
                 scores of the k best windows in the other document.
    """
    data = torch.from_numpy(differences / max(float(differences.std()), 1e-9))
    theta = torch.ones(data.shape[1], requires_grad=True)
    optimizer = torch.optim.Adam([theta], lr=RATE)
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = torch.nn.functional.softplus(-(data @ theta)).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        with torch.no_grad():
            theta.clamp_(min=0)
            theta[0].clamp_(min=1e-3)
    found = theta.detach() / theta.detach().mean()
    return tuple(round(float(value), 6) for value in found)
