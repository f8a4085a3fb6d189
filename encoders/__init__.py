"""Encoders that turn text into representations, and splitters that cut long text into passages.

Representations are dense (one vector, or one for each token), learned sparse (SPLADE, TILDEv2) or
lexical terms. Importing this package does not import torch. `load_encoder` imports torch when it
loads a model.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import kinds as kinds
from .config import ENCODERS, EncoderConfig, EncoderLoader
from .dense.config import DenseEncoderConfig
from .external.config import ExternalEncoderConfig, ExternalSparseEncoderConfig
from .late.config import LateEncoderConfig, LateFields
from .late.vectors import TokenEncoder
from .lexical.config import AnalyzerConfig, detects_languages
from .lexical.encoder import LexicalEncoder, Token
from .lexical.multilingual import Languages, MultilingualEncoder, load_analyzer
from .loading import load_encoder, load_tilde_encoder, load_token_encoder
from .pair.config import PairEncoderConfig
from .passages.config import PassageConfig
from .passages.passages import split_passages
from .passages.tokens import MOST_TOKENS, counted_by_words, split_by_tokens
from .promptreps.config import PromptRepsEncoderConfig
from .protocol import CountingEncoder, Encoder, Gives, TokenReader
from .sparse.config import SparseEncoderConfig
from .tilde.config import TildeEncoderConfig, TildeFields

if TYPE_CHECKING:
    from .dense.fake import FakeDenseEncoder
    from .late.fake import FakeLateEncoder
    from .promptreps.encoder import PromptRepsEncoder
    from .sparse.fake import FakeSparseEncoder
    from .tilde.fake import FakeTildeEncoder

__all__ = [
    "ENCODERS",
    "MOST_TOKENS",
    "AnalyzerConfig",
    "CountingEncoder",
    "DenseEncoderConfig",
    "Encoder",
    "EncoderConfig",
    "EncoderLoader",
    "ExternalEncoderConfig",
    "ExternalSparseEncoderConfig",
    "FakeDenseEncoder",
    "FakeLateEncoder",
    "FakeSparseEncoder",
    "FakeTildeEncoder",
    "Gives",
    "Languages",
    "LateEncoderConfig",
    "LateFields",
    "LexicalEncoder",
    "MultilingualEncoder",
    "PairEncoderConfig",
    "PassageConfig",
    "PromptRepsEncoder",
    "PromptRepsEncoderConfig",
    "SparseEncoderConfig",
    "TildeEncoderConfig",
    "TildeFields",
    "Token",
    "TokenEncoder",
    "TokenReader",
    "counted_by_words",
    "detects_languages",
    "load_analyzer",
    "load_encoder",
    "load_tilde_encoder",
    "load_token_encoder",
    "split_by_tokens",
    "split_passages",
]

_LAZY_MODULES = {
    "FakeDenseEncoder": "dense.fake",
    "FakeLateEncoder": "late.fake",
    "FakeSparseEncoder": "sparse.fake",
    "FakeTildeEncoder": "tilde.fake",
    "PromptRepsEncoder": "promptreps.encoder",
}
"""Name -> module that defines it. The module is imported at the first use of the name."""


def __getattr__(name: str) -> Any:
    if name not in _LAZY_MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f".{_LAZY_MODULES[name]}", __name__)
    value = globals()[name] = getattr(module, name)
    return value
