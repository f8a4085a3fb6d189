"""Text to representations: dense (one vector, or one for each token), learned sparse, weights of a
text's own tokens, and lexical terms; and long text to passages.

Importing this does not import torch: `load_encoder` does, when it loads a model.
"""

from . import kinds as kinds
from .config import ENCODERS, EncoderConfig, EncoderLoader
from .dense.config import DenseEncoderConfig
from .dense.fake import FakeDenseEncoder
from .late.config import LateEncoderConfig, LateFields
from .late.fake import FakeLateEncoder
from .late.vectors import TokenEncoder
from .lexical.config import AnalyzerConfig
from .lexical.encoder import LexicalEncoder, Token
from .loading import load_encoder, load_tilde_encoder, load_token_encoder
from .passages.config import PassageConfig
from .passages.passages import split_passages
from .passages.tokens import MOST_TOKENS, counted_by_words, split_by_tokens
from .promptreps.config import PromptRepsEncoderConfig
from .promptreps.encoder import PromptRepsEncoder
from .protocol import CountingEncoder, Encoder, Gives, TokenReader
from .sparse.config import SparseEncoderConfig
from .sparse.fake import FakeSparseEncoder
from .tilde.config import TildeEncoderConfig, TildeFields
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
    "FakeDenseEncoder",
    "FakeLateEncoder",
    "FakeSparseEncoder",
    "FakeTildeEncoder",
    "Gives",
    "LateEncoderConfig",
    "LateFields",
    "LexicalEncoder",
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
    "load_encoder",
    "load_tilde_encoder",
    "load_token_encoder",
    "split_by_tokens",
    "split_passages",
]
