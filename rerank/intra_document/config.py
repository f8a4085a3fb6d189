"""Configuration of the intra-document cascade."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import model_validator

from ...core.bounds import Bounds, Few
from ...core.kinds import OneOf
from ...encoders import AnalyzerConfig
from ..config import RERANKERS, RerankerConfig, Shorthand


@RERANKERS.register
class IntraDocumentConfig(RerankerConfig):
    """The intra-document cascade (IDCM, Hofstätter et al., 2021): a cheap scorer picks windows of a
    long document, and a costly reranker reads only these windows."""

    made_by = ".reranker:IntraDocumentReranker"
    shorthand = Shorthand(
        words={"intra-document": {"slow": {"kind": "cross_encoder"}}},
        argument="slow.model",
        shown="FOLDER",
    )

    kind: Literal["intra_document"] = "intra_document"
    text: Literal["passage", "document"] = "document"
    """Text that is cut into windows: the whole document, or its best passage."""
    slow: Annotated[RerankerConfig, OneOf(RERANKERS, among=lambda one: one.scores_texts)]
    """Costly reranker that reads the picked windows, each with the document's title."""
    fast: str = "lexical"
    """Cheap scorer that picks the windows: "lexical" (BM25, see `analyzer`), or the folder of a
    passage scorer (`twindex train passage-scorer` makes one)."""
    windows: Few = 4
    """Number of windows of each document that the costly reranker reads."""
    best: Few = 3
    """Number of best windows whose weighted sum is the document's score."""
    weights: tuple[Annotated[float, Bounds(0, 1e6)], ...] | None = None
    """Weights of the best window, the second best, and so on; None = the weights stored with the
    passage scorer, or 1 each."""
    absent: Literal["mean", "zero"] = "mean"
    """Score that replaces missing windows of a short document: "mean" = the (weighted) mean of its
    own windows, "zero" = 0, as in the paper, which also trains its model this way."""
    size: Annotated[int, Bounds(4, 100_000)] = 50
    """Number of words in a window, not counting `overlap`."""
    overlap: Annotated[int, Bounds(0, 100_000)] = 7
    """Number of additional words on each side of a window."""
    analyzer: AnalyzerConfig = AnalyzerConfig()
    """How the lexical scorer splits texts into terms."""
    memory: Annotated[int, Bounds(0, 2**40)] = 512 * 2**20
    """Maximum memory in bytes for cached windows and their data for the cheap scorer."""

    @model_validator(mode="after")
    def _weights_of_best(self) -> Self:
        if self.weights is None:
            return self
        if len(self.weights) != self.best:
            raise ValueError(
                f"`weights` must have as many values as `best` says ({self.best}), got "
                f"{len(self.weights)}; change one of them"
            )
        if self.weights[0] == 0:
            raise ValueError("the first value of `weights` must be above 0, got 0")
        return self
