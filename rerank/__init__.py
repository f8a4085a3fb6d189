"""Rerankers, which reorder the hits of a search within limits of time, calls and tokens.

All rerankers implement the protocol `Reranker`.
"""

from ..ask import Status
from . import kinds as kinds
from .calibrated import CalibrationConfig
from .chain import Chain, ChainConfig, StageConfig
from .config import (
    RERANKERS,
    PromptingConfig,
    RerankerConfig,
    RerankerLoader,
    Rerankers,
    Shorthand,
    load_reranker,
)
from .criteria.reranker import CriteriaConfig
from .cross_encoder.config import CrossEncoderConfig
from .diversity import DiversityConfig
from .encoded.late import LateInteractionConfig
from .encoded.stored import LegScoreConfig
from .encoded.tilde import TildeConfig
from .fake import FakeRerankerConfig
from .intra_document.config import IntraDocumentConfig
from .listwise.reranker import ListwiseConfig
from .pairwise.reranker import PairwiseConfig
from .pointwise.reranker import PointwiseConfig
from .protocol import (
    Budget,
    Candidate,
    Needs,
    Placed,
    Reranked,
    Reranker,
    Task,
    failed,
    rerank_one,
)
from .spec import parse_spec

__all__ = [
    "RERANKERS",
    "Budget",
    "CalibrationConfig",
    "Candidate",
    "Chain",
    "ChainConfig",
    "CriteriaConfig",
    "CrossEncoderConfig",
    "DiversityConfig",
    "FakeRerankerConfig",
    "IntraDocumentConfig",
    "LateInteractionConfig",
    "LegScoreConfig",
    "ListwiseConfig",
    "Needs",
    "PairwiseConfig",
    "Placed",
    "PointwiseConfig",
    "PromptingConfig",
    "Reranked",
    "Reranker",
    "RerankerConfig",
    "RerankerLoader",
    "Rerankers",
    "Shorthand",
    "StageConfig",
    "Status",
    "Task",
    "TildeConfig",
    "failed",
    "load_reranker",
    "parse_spec",
    "rerank_one",
]
