"""The weights of the best windows in a document's score, learned from judgements.

Step 2 of IDCM trains theta with RankNet (Burges et al., ICML 2005) as a part of the whole model.
Here the costly model is frozen, so that what is left is a function of k numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from ..core import InvalidInputError
from ..rerank.intra_document.kernel_scorer import KernelScorer
from .passage_scorer import Example, ranked

STEPS, RATE = 300, 0.02


def window_weights(
    scorer: KernelScorer,
    examples: Sequence[Example],
    grades: Mapping[str, Mapping[str, int]],
    *,
    windows: int = 4,
    best: int = 3,
) -> tuple[float, ...]:
    """theta, `best` numbers from 0 with mean 1, from examples of judged queries.

    grades: text of a query -> document -> grade; a document without one counts 0. windows: that the
    scorer picks. Documents with fewer than `best` windows are left out. Raises InvalidInputError
    where no query has documents of two grades among its examples.
    """
    if windows < best:
        raise InvalidInputError(f"only {windows} windows are read", field="best")
    judged = [one for one in examples if one.query in grades and len(one.windows) >= best]
    lists: dict[str, list[tuple[int, NDArray[np.float32]]]] = {}
    for one, order in zip(judged, ranked(scorer, judged), strict=True):
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
            "no query has both a relevant and another document among its candidates",
            field="qrels",
        )
    return ranknet(np.array(differences, np.float32))


def ranknet(differences: NDArray[np.float32]) -> tuple[float, ...]:
    """theta >= 0 that makes mean ln(1 + exp(-theta . difference)) small; [pairs, k] -> k numbers.

    From 1 each, in a fixed number of steps; the unit of scores does not matter. The first is above
    0.
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
