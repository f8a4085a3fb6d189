"""Pairwise Ranking Prompting, configured."""

from __future__ import annotations

from typing import Literal

from ...ask.asking import Mode
from ...core.bounds import Few, Tokens
from ..config import PromptingConfig, Shorthand


class PairwiseConfig(PromptingConfig):
    """Pairwise Ranking Prompting (Qin et al., 2023), see `twindex.rerank.pairwise.reranker`.

    method: "allpair", "sorting" or "sliding".
    top_k:  places that are settled; "allpair" settles all.
    sort:   of method "sorting": "tournament" asks less and in fewer rounds, "heap" is the paper's.
    mode:   "scoring" compares likelihoods of the two answers, "generation" reads a written one.
    passage_tokens: read of each passage, at most.
    """

    made_by = ".reranker:PairwiseReranker"
    shorthand = Shorthand(
        words={
            "pairwise": {},
            "pairwise-allpair": {"method": "allpair"},
            "pairwise-sorting": {"method": "sorting"},
            "pairwise-sliding": {"method": "sliding"},
        },
        argument="llm.model",
    )

    kind: Literal["pairwise"] = "pairwise"
    method: Literal["allpair", "sorting", "sliding"] = "sorting"
    sort: Literal["tournament", "heap"] = "tournament"
    top_k: Few = 10
    mode: Mode = "scoring"
    passage_tokens: Tokens = 128
