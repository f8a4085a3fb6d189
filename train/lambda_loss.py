"""LambdaLoss, a loss function for ranked lists (Wang et al., CIKM 2018)."""

from __future__ import annotations

import torch
from torch import Tensor


def ndcg_loss2(scores: Tensor, gains: Tensor, *, sigma: float = 1.0) -> Tensor:
    """Return the NDCG-Loss2 of one list, a scalar. This loss is a bound on 1 - nDCG.

    scores: score s_i of each item of the list: float [n].
    gains:  gain of each item: float [n].
    sigma:  steepness of the logistic function.

    sum over i, j with gain_i > gain_j of
        delta_ij * |G_i - G_j| * log2(1 + exp(-sigma * (s_i - s_j)))

    where r_i is the rank of item i by score, G_i = (2^gain_i - 1) / maxDCG, maxDCG is the DCG of
    the items in descending order of gain, D(r) = log2(1 + r), and
    delta_ij = |1 / D(|r_i - r_j|) - 1 / D(|r_i - r_j| + 1)|.
    """
    with torch.no_grad():
        ranks = torch.empty_like(scores)
        ranks[torch.argsort(scores, descending=True, stable=True)] = torch.arange(
            1.0, len(scores) + 1
        )
        ideal = torch.sort(2**gains - 1, descending=True).values
        best = (ideal / torch.log2(torch.arange(2.0, len(gains) + 2))).sum()
        normalized = (2**gains - 1) / best.clamp(min=1e-9)
        first, second = torch.nonzero(gains[:, None] > gains[None, :], as_tuple=True)
        distance = (ranks[first] - ranks[second]).abs()
        delta = (1 / torch.log2(1 + distance) - 1 / torch.log2(2 + distance)).abs()
        weight = delta * (normalized[first] - normalized[second]).abs()
    ahead = sigma * (scores[first] - scores[second])
    losses: Tensor = -torch.nn.functional.logsigmoid(ahead) / torch.log(torch.tensor(2.0))
    return (weight * losses).sum()
