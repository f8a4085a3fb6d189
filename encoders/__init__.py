"""Text to representations: dense, learned sparse, and lexical terms; and long text to passages.

Importing this does not import torch: `load_encoder` does, when it loads a model.
"""

from .fake import FakeDenseEncoder, FakeSparseEncoder
from .lexical import LexicalEncoder, Token
from .loading import load_encoder, on_device
from .passages import split_passages
from .promptreps import PromptRepsEncoder
from .protocol import Encoder, EncoderConfig, EncoderLoader, Gives

__all__ = [
    "Encoder",
    "EncoderConfig",
    "EncoderLoader",
    "FakeDenseEncoder",
    "FakeSparseEncoder",
    "Gives",
    "LexicalEncoder",
    "PromptRepsEncoder",
    "Token",
    "load_encoder",
    "on_device",
    "split_passages",
]
