"""Configuration of rerankers: one vocabulary for Python, TOML, the command line and REST.

A reranker is described by its `kind` and the options of that kind; defaults are those of the papers
that the modules of `twindex.rerank` name.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ..ask.config import LanguageModelConfig, Limits
from ..core.bounds import Bounds, Calls, Few, Score, Share, Tokens
from ..core.config import Device, Precision
from ..core.config_base import Config
from ..encoders import AnalyzerConfig
from ..index.legs import LEG_NAME

RERANKER_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"


class Budget(Limits):
    """What reranking one query may cost at most; None = no limit.

    candidates: hits that are judged, from the top of the first stage; others keep their order.
    """

    candidates: Calls | None = None


class CalibrationConfig(Config):
    """From a reranker's score to the probability that the hit is relevant (Platt, 1999).

    p = 1 / (1 + exp(-(slope * score + intercept))). `twindex calibrate` fits it to judgements.
    """

    slope: Annotated[float, Bounds(0, 1e30, above=True)]
    intercept: Score


class BaseReranker(Config):
    """What all rerankers have.

    candidates:  hits that are judged when a request does not say how many.
    text:        what is read of a hit: its title and its best passage, or the whole document.
    calibration: of the scores; makes `min_score` of a request a probability.
    """

    candidates: Few = 100
    text: Literal["passage", "document"] = "passage"
    calibration: CalibrationConfig | None = None


class CrossEncoderConfig(BaseReranker):
    """A transformer that reads query and passage together and gives one score.

    model:      a folder (`twindex train cross-encoder` makes one), a name on this machine, or
                "fake".
    max_length: tokens read of a pair; None = the model's own limit.
    precision:  arithmetic; "int8" quantises the weights, on processors only.
    """

    kind: Literal["cross_encoder"] = "cross_encoder"
    model: str
    revision: str | None = None
    max_length: Tokens | None = None
    precision: Literal["float32", "bfloat16", "int8"] = "float32"
    device: Device = "auto"


class LegScoreConfig(BaseReranker):
    """Scores of a leg whose representations are stored in the collection: nothing is encoded but
    the query. Late interaction (MaxSim over stored token vectors) and TILDEv2 are this."""

    kind: Literal["leg"] = "leg"
    leg: str = Field(pattern=LEG_NAME)


class LateInteractionConfig(BaseReranker):
    """MaxSim over token vectors that are computed when asked, for texts that are not in a
    collection. In a collection, a stored late leg (kind "leg") saves that work.

    Fields are those of `LateEncoderConfig`.
    """

    kind: Literal["late"] = "late"
    model: str = "all-MiniLM-L6-v2"
    revision: str | None = None
    query_prompt: str | None = None
    document_prompt: str | None = None
    query_length: Annotated[int, Bounds(4, 1_048_576)] | None = None
    document_length: Tokens | None = None
    precision: Precision = "float32"
    device: Device = "auto"


class PointwiseConfig(BaseReranker):
    """A language model asked of each passage alone whether it is relevant.

    mode: "scoring": the score is the probability of yes against no; "generation": 1 where the model
          writes yes, 0 where no.
    passage_tokens: read of each passage, at most.
    """

    kind: Literal["pointwise"] = "pointwise"
    llm: LanguageModelConfig = LanguageModelConfig()
    mode: Literal["scoring", "generation"] = "scoring"
    passage_tokens: Tokens = 256


class PairwiseConfig(BaseReranker):
    """Pairwise Ranking Prompting (Qin et al., 2023), see `twindex.rerank.pairwise`.

    method: "allpair", "sorting" or "sliding".
    top_k:  places that are settled; "allpair" settles all.
    sort:   of method "sorting": "tournament" asks less and in fewer rounds, "heap" is the paper's.
    mode:   "scoring" compares likelihoods of the two answers, "generation" reads a written one.
    passage_tokens: read of each passage, at most.
    """

    kind: Literal["pairwise"] = "pairwise"
    llm: LanguageModelConfig = LanguageModelConfig()
    method: Literal["allpair", "sorting", "sliding"] = "sorting"
    sort: Literal["tournament", "heap"] = "tournament"
    top_k: Few = 10
    mode: Literal["scoring", "generation"] = "scoring"
    passage_tokens: Tokens = 128


class ListwiseConfig(BaseReranker):
    """A language model asked to order a window of passages, which slides from the bottom up
    (RankGPT, Sun et al., 2023).

    window: passages in a prompt; step: by how many it moves up, at most the window.
    passes: over all candidates.
    passage_tokens: read of each passage, at most.
    """

    kind: Literal["listwise"] = "listwise"
    llm: LanguageModelConfig = LanguageModelConfig()
    window: Annotated[int, Bounds(2, 1_000)] = 20
    step: Few = 10
    passes: Annotated[int, Bounds(1, 100)] = 1
    passage_tokens: Tokens = 128

    @model_validator(mode="after")
    def _windows_overlap(self) -> Self:
        if self.step > self.window:
            raise ValueError("step: more than the window, which would leave passages out")
        return self


class CriteriaConfig(BaseReranker):
    """REBEL (2025): scores of several criteria, added up with weights.

    turns: 1 = relevance and the five fixed criteria; 2 = the model first infers criteria that suit
           the query.
    batch: passages judged in one call.
    weight: of the fixed criteria, and of inferred ones for which the model names none.
    discard: hits of less relevance (0 to 10) come after all others.
    relevance_only: the further criteria have no scores; in two turns they tell the model what
           relevance means for the query.
    """

    kind: Literal["criteria"] = "criteria"
    llm: LanguageModelConfig = LanguageModelConfig()
    turns: Literal[1, 2] = 1
    batch: Annotated[int, Bounds(1, 100)] = 10
    weight: Annotated[float, Bounds(0, 2)] = 0.5
    discard: Annotated[float, Bounds(0, 10)] = 3.0
    relevance_only: bool = False
    passage_tokens: Tokens = 256


class TildeConfig(BaseReranker):
    """TILDEv2 (Zhuang and Zuccon, 2021) for texts that are not in a collection. In one, a stored
    leg with a "tilde" encoder (kind "leg") saves the work.

    Fields are those of `TildeEncoderConfig`.
    """

    kind: Literal["tilde"] = "tilde"
    model: str = "splade-tiny"
    revision: str | None = None
    max_length: Tokens | None = None
    expansion: Annotated[int, Bounds(0, 1_000)] = 0
    expansion_model: str | None = None
    expansion_reading: Literal["auto", "first", "max"] = "auto"
    language: str = "en"
    precision: Precision = "float32"
    device: Device = "auto"


class IntraDocumentConfig(BaseReranker):
    """The intra-document cascade (IDCM, Hofstätter et al., 2021): a cheap scorer picks windows of a
    long document, a costly one reads only these.

    slow:     reads the picked windows, each with the document's title.
    fast:     picks them: "lexical" (BM25, see `analyzer`), or the folder of a passage scorer
              (`twindex train passage-scorer` makes one).
    windows:  read of each document.
    best:     of these that make up the document's score, a weighted sum.
    weights:  of the best window, the second best ...; None = those that the passage scorer's folder
              has, or else 1 each.
    absent:   what the windows that a short document lacks count in the sum: "mean" = the (weighted)
              mean of those it has, "zero" = nothing, as in the paper, whose model learns with it.
    size:     words in a window, without `overlap` more on each side.
    analyzer: of the lexical scorer.
    memory:   bytes for windows and what the fast scorer knows of documents, at most.
    """

    kind: Literal["intra_document"] = "intra_document"
    text: Literal["passage", "document"] = "document"
    slow: Annotated[
        CrossEncoderConfig
        | PointwiseConfig
        | LateInteractionConfig
        | TildeConfig
        | FakeRerankerConfig,
        Field(discriminator="kind"),
    ]
    fast: str = "lexical"
    windows: Few = 4
    best: Few = 3
    weights: tuple[Annotated[float, Bounds(0, 1e6)], ...] | None = None
    absent: Literal["mean", "zero"] = "mean"
    size: Annotated[int, Bounds(4, 100_000)] = 50
    overlap: Annotated[int, Bounds(0, 100_000)] = 7
    analyzer: AnalyzerConfig = AnalyzerConfig()
    memory: Annotated[int, Bounds(0, 2**40)] = 512 * 2**20

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


class DiversityConfig(BaseReranker):
    """Maximal marginal relevance (Carbonell and Goldstein, 1998).

    relevance:  its share against novelty, the lambda of the paper: 1 = relevance only.
    leg:        dense leg whose stored vectors say how alike hits are; None = their words.
    top_k:      places that are settled.
    analyzer:   of the words, where there is no leg.
    """

    kind: Literal["mmr"] = "mmr"
    relevance: Share = 0.7
    leg: str | None = Field(default=None, pattern=LEG_NAME)
    top_k: Few = 10
    analyzer: AnalyzerConfig = AnalyzerConfig()


class StageConfig(Config):
    """One stage of a chain: which reranker, and how many of the hits before it it judges."""

    reranker: RerankerConfig
    candidates: Few


class ChainConfig(Config):
    """Rerankers one after another, cheap ones first, each on the best of those before it."""

    kind: Literal["chain"] = "chain"
    stages: tuple[StageConfig, ...] = Field(min_length=1)
    calibration: CalibrationConfig | None = None

    @property
    def candidates(self) -> int:
        """As the first stage."""
        return self.stages[0].candidates


class FakeRerankerConfig(BaseReranker):
    """A reranker without a model, for tests and for trying things out: the share of the query's
    words that a hit has. It waits `milliseconds` for each hit and fails at the hit number
    `fails_at` (from 0)."""

    kind: Literal["fake"] = "fake"
    milliseconds: Annotated[float, Bounds(0, 86_400_000)] = 0.0
    fails_at: Annotated[int, Bounds(0, 1_000_000)] | None = None


RerankerConfig = Annotated[
    CrossEncoderConfig
    | LegScoreConfig
    | LateInteractionConfig
    | PointwiseConfig
    | PairwiseConfig
    | ListwiseConfig
    | CriteriaConfig
    | TildeConfig
    | IntraDocumentConfig
    | DiversityConfig
    | ChainConfig
    | FakeRerankerConfig,
    Field(discriminator="kind"),
]

IntraDocumentConfig.model_rebuild()
StageConfig.model_rebuild()
ChainConfig.model_rebuild()


class Rerankers(Config):
    """Rerankers by name, as a TOML file of them holds them: `[rerankers.NAME]`."""

    rerankers: dict[Annotated[str, Field(pattern=RERANKER_NAME)], RerankerConfig] = Field(
        default_factory=dict
    )
