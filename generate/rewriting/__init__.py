"""Rewriters: a language model writes queries, passages or questions from the query of a search.

All of them implement the protocol `Rewriter`. See the page Queries of the documentation.
"""

from . import kinds as kinds
from .config import REWRITERS, RewriterConfig, RewriterLoader, Rewriters, load_rewriter
from .decompose import DecomposeConfig
from .engine import LanguageModelRewriterConfig, Method, PromptingRewriter
from .fake import FakeRewriterConfig
from .hyde import HydeConfig
from .protocol import Question, Rewriter, Rewrites, RewrittenText, Use
from .queries import QueriesConfig
from .query2doc import Query2DocConfig
from .standalone import StandaloneConfig
from .step_back import StepBackConfig

__all__ = [
    "REWRITERS",
    "DecomposeConfig",
    "FakeRewriterConfig",
    "HydeConfig",
    "LanguageModelRewriterConfig",
    "Method",
    "PromptingRewriter",
    "QueriesConfig",
    "Query2DocConfig",
    "Question",
    "Rewriter",
    "RewriterConfig",
    "RewriterLoader",
    "Rewriters",
    "Rewrites",
    "RewrittenText",
    "StandaloneConfig",
    "StepBackConfig",
    "Use",
    "load_rewriter",
]
