"""LambdaLoss for lists that are ranked by a model (Wang et al., CIKM 2018)."""

from __future__ import annotations

import torch
from torch import Tensor


def ndcg_loss2(scores: Tensor, gains: Tensor, *, sigma: float = 1.0) -> Tensor:
    """NDCG-Loss2 of one list: scores and gains [n] -> a number, bounding 1 - nDCG in its way.

    sum over i, j with gain_i > gain_j of
        delta_ij * |G_i - G_j| * log2(1 + exp(-sigma * (s_i - s_j)))

    with G = (2^gain - 1) / maxDCG, places r by score, and
    delta_ij = |1 / D(|r_i - r_j|) - 1 / D(|r_i - r_j| + 1)|, D(r) = log2(1 + r).
    """
    with torch.no_grad():
        places = torch.empty_like(scores)
        places[torch.argsort(scores, descending=True, stable=True)] = torch.arange(
            1.0, len(scores) + 1
        )
        ideal = torch.sort(2**gains - 1, descending=True).values
        best = (ideal / torch.log2(torch.arange(2.0, len(gains) + 2))).sum()
        gained = (2**gains - 1) / best.clamp(min=1e-9)
        first, second = torch.nonzero(gains[:, None] > gains[None, :], as_tuple=True)
        apart = (places[first] - places[second]).abs()
        delta = (1 / torch.log2(1 + apart) - 1 / torch.log2(2 + apart)).abs()
        weight = delta * (gained[first] - gained[second]).abs()
    ahead = sigma * (scores[first] - scores[second])
    losses: Tensor = -torch.nn.functional.logsigmoid(ahead) / torch.log(torch.tensor(2.0))
    return (weight * losses).sum()
