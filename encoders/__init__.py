"""Text to representations: dense (one vector, or one for each token), learned sparse, weights of a
text's own tokens, and lexical terms; and long text to passages.

Importing this does not import torch: `load_encoder` does, when it loads a model.
"""

from .fake import FakeDenseEncoder, FakeLateEncoder, FakeSparseEncoder, FakeTildeEncoder
from .late.vectors import TokenEncoder
from .lexical.encoder import LexicalEncoder, Token
from .loading import load_encoder, load_tilde_encoder, load_token_encoder, on_device
from .passages.passages import split_passages
from .passages.tokens import MOST_TOKENS, counted_by_words, split_by_tokens
from .promptreps.encoder import PromptRepsEncoder
from .protocol import CountingEncoder, Encoder, EncoderConfig, EncoderLoader, Gives, TokenReader

__all__ = [
    "MOST_TOKENS",
    "CountingEncoder",
    "Encoder",
    "EncoderConfig",
    "EncoderLoader",
    "FakeDenseEncoder",
    "FakeLateEncoder",
    "FakeSparseEncoder",
    "FakeTildeEncoder",
    "Gives",
    "LexicalEncoder",
    "PromptRepsEncoder",
    "Token",
    "TokenEncoder",
    "TokenReader",
    "counted_by_words",
    "load_encoder",
    "load_tilde_encoder",
    "load_token_encoder",
    "on_device",
    "split_by_tokens",
    "split_passages",
]
