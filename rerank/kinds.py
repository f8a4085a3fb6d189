"""The kinds of reranker that come with Twindex, a line each."""

from __future__ import annotations

from .chain import ChainConfig
from .config import RERANKERS
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

RERANKERS.register(CrossEncoderConfig)
RERANKERS.register(LegScoreConfig)
RERANKERS.register(LateInteractionConfig)
RERANKERS.register(TildeConfig)
RERANKERS.register(PointwiseConfig)
RERANKERS.register(PairwiseConfig)
RERANKERS.register(ListwiseConfig)
RERANKERS.register(CriteriaConfig)
RERANKERS.register(IntraDocumentConfig)
RERANKERS.register(DiversityConfig)
RERANKERS.register(ChainConfig)
RERANKERS.register(FakeRerankerConfig)
