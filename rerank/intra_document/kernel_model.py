"""A small model that scores how well sequences of three word pieces in a window match the query.

It is the "efficient student model" of IDCM (Hofstätter et al., SIGIR 2021), after Conv-KNRM (Dai et
al., WSDM 2018):

    v_i    = ReLU(W [e_i; e_i+1; e_i+2] + b), scaled to length 1;  zeros follow the last token
    S_k(q) = sum over tokens d of the window of  exp(-(cos(v_q, v_d) - mu_k)^2 / (2 * 0.1^2))
    score  = sum over k of  w_k * sum over tokens q of the query of  ln max(1e-4, alpha_k * S_k(q))

e_i is the fixed embedding of word piece (token) i, and v_i its convolved vector. W, b, alpha_k and
w_k are trained. mu_k is the centre of kernel k; there are 11 kernels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

MU = (1.0, 0.9, 0.7, 0.5, 0.3, 0.1, -0.1, -0.3, -0.5, -0.7, -0.9)
SIGMA = 0.1
FLOOR = 1e-4
REACH = 3
"""Number of tokens that the convolution spans."""


class KernelModel(nn.Module):
    """The student model of IDCM, a convolutional kernel model; see the formula of this module.

    embeddings: word-piece embeddings [vocabulary, width]; stored as float16.
    dimensions: number of dimensions of a convolved vector (v_i in the formula).
    seed:       seed of the initial weights.

    The convolution is computed for each token separately, as a linear map of the token and the next
    two tokens of its window. So windows need no padding, and neighbouring windows do not affect
    each other.
    """

    embeddings: Tensor

    def __init__(self, embeddings: Tensor, dimensions: int, *, seed: int = 0) -> None:
        super().__init__()
        vocabulary, width = embeddings.shape
        table = torch.zeros(vocabulary + 1, width, dtype=torch.float16)
        table[:vocabulary] = embeddings
        self.register_buffer("embeddings", table)
        self.dimensions = dimensions
        self.convolution = nn.Linear(REACH * width, dimensions)
        self.alpha = nn.Parameter(torch.ones(len(MU)))
        self.output = nn.Linear(len(MU), 1)
        random = torch.Generator().manual_seed(seed)
        bound = (REACH * width) ** -0.5
        with torch.no_grad():
            self.convolution.weight.uniform_(-bound, bound, generator=random)
            self.convolution.bias.zero_()
            self.output.weight.uniform_(-0.014, 0.014, generator=random)
            self.output.bias.zero_()

    def vectors(self, windows: Sequence[Sequence[int]], tables: Tensor | None = None) -> Tensor:
        """Return the convolved vectors of the tokens of all windows: [tokens, dimensions].

        windows: token ids of each window.
        tables:  result of the method `tables`, after training. The result makes this call much
                 cheaper. None: the convolution is computed.
        """
        triples = torch.from_numpy(_triples(windows, len(self.embeddings) - 1))
        if tables is None:
            linear = self.convolution(self.embeddings[triples].float().flatten(1))
        else:
            linear = self.convolution.bias + sum(
                table[near] for table, near in zip(tables, triples.T, strict=True)
            )
        return nn.functional.normalize(torch.relu(linear), dim=1)

    def tables(self) -> Tensor:
        """Return the products of W (in the module's formula) and all embeddings.

        The result has the shape [3, vocabulary + 1, dimensions]. Row [i, t] is what token t, in
        position i of the convolution, adds to the convolved vector before ReLU.
        """
        parts = self.convolution.weight.chunk(REACH, dim=1)
        return torch.stack([self.embeddings.float() @ part.T for part in parts])

    def scores(self, query: Tensor, windows: Tensor, lengths: Tensor) -> Tensor:
        """Return the scores of windows for a query: [windows].

        query:   convolved vectors of the query's tokens: [query tokens, dimensions].
        windows: convolved vectors of the tokens of all windows: [tokens, dimensions].
        lengths: number of tokens of each window.
        """
        cosines = windows @ query.T
        if not self.training:
            return self._pooled([_summed(_kernel(cosines, mu), lengths) for mu in MU])
        kernels = torch.stack([_kernel(cosines, mu) for mu in MU], dim=1)
        return self._pooled(list(_summed(kernels, lengths).unbind(1)))

    def _pooled(self, sums: Sequence[Tensor]) -> Tensor:
        """Return the scores of windows: [windows].

        sums: for each kernel k, the sums S_k(q) of the module's formula: [windows, query tokens].
        """
        logs = [
            torch.log(torch.clamp(total * alpha, min=FLOOR)).sum(1)
            for total, alpha in zip(sums, self.alpha, strict=True)
        ]
        scores: Tensor = self.output(torch.stack(logs, dim=1)).squeeze(1)
        return scores


def _kernel(cosines: Tensor, mu: float) -> Tensor:
    return torch.exp((cosines - mu).square_().mul_(-1 / (2 * SIGMA**2)))


def _summed(values: Tensor, lengths: Tensor) -> Tensor:
    """Return for each window the sum of the rows of its tokens.

    values:  one row for each token; the windows are concatenated.
    lengths: number of tokens of each window.
    """
    windows = torch.repeat_interleave(torch.arange(len(lengths)), lengths)
    zeros = torch.zeros(len(lengths), *values.shape[1:])
    return zeros.index_add(0, windows, values)


def _triples(windows: Sequence[Sequence[int]], nothing: int) -> NDArray[np.int64]:
    """Return each token with the next two tokens of its window: [tokens, 3].

    nothing: token id that is used after the last token of a window.
    """
    lengths = [len(window) for window in windows]
    found = np.full((sum(lengths), REACH), nothing, np.int64)
    at = 0
    for window, length in zip(windows, lengths, strict=True):
        for step in range(min(REACH, length)):
            found[at : at + length - step, step] = window[step:]
        at += length
    return found
