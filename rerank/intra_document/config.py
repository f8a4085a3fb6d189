"""The intra-document cascade, configured."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import model_validator

from ...core.bounds import Bounds, Few
from ...core.config import Device
from ...core.kinds import OneOf
from ...encoders import AnalyzerConfig
from ..config import RERANKERS, RerankerConfig, Shorthand


@RERANKERS.register
class IntraDocumentConfig(RerankerConfig):
    """The intra-document cascade (IDCM, Hofstätter et al., 2021): a cheap scorer picks windows of a
    long document, a costly one reads only these."""

    made_by = ".reranker:IntraDocumentReranker"
    shorthand = Shorthand(
        words={"intra-document": {"slow": {"kind": "cross_encoder"}}},
        argument="slow.model",
        shown="FOLDER",
    )

    kind: Literal["intra_document"] = "intra_document"
    text: Literal["passage", "document"] = "document"
    """What is cut into windows: the whole document, or its best passage."""
    slow: Annotated[RerankerConfig, OneOf(RERANKERS, among=lambda one: one.scores_texts)]
    """Reads the picked windows, each with the document's title."""
    fast: str = "lexical"
    """Picks them: "lexical" (BM25, see `analyzer`), or the folder of a passage scorer (`twindex
    train passage-scorer` makes one)."""
    windows: Few = 4
    """Windows read of each document."""
    best: Few = 3
    """Windows of these whose weighted sum is the document's score."""
    weights: tuple[Annotated[float, Bounds(0, 1e6)], ...] | None = None
    """Weights of the best window, the second best ...; None = those that the passage scorer's
    folder has, or else 1 each."""
    absent: Literal["mean", "zero"] = "mean"
    """What the windows that a short document lacks count in the sum: "mean" = the (weighted)
    mean of those it has, "zero" = nothing, as in the paper, whose model learns with it."""
    size: Annotated[int, Bounds(4, 100_000)] = 50
    """Words in a window, without `overlap` more on each side."""
    overlap: Annotated[int, Bounds(0, 100_000)] = 7
    """Words that a window has more, on each side."""
    analyzer: AnalyzerConfig = AnalyzerConfig()
    """How texts become terms of the lexical scorer."""
    memory: Annotated[int, Bounds(0, 2**40)] = 512 * 2**20
    """Bytes for windows and what the fast scorer knows of documents, at most."""

    def on(self, device: Device) -> Self:
        return self.model_copy(update={"slow": self.slow.on(device)})

    @model_validator(mode="after")
    def _weights_of_best(self) -> Self:
        if self.weights is None:
            return self
        if len(self.weights) != self.best:
            raise ValueError(
                f"weights: there are {len(self.weights)} for the {self.best} of `best`"
            )
        if self.weights[0] == 0:
            raise ValueError("weights: that of the best window must be above 0")
        return self
