"""Runs language models on this machine or on a server. Finds and identifies their weights."""

from .fake import FakeModel
from .protocol import (
    Capability,
    Chunk,
    Completion,
    GenerativeModel,
    LanguageModel,
    LikelihoodModel,
    Likelihoods,
    Message,
    Prompt,
    Sampling,
    StateModel,
    States,
)
from .weights.digest import weights_digest
from .weights.places import WHEELS, Wheel, downloads_allowed, find_weights

__all__ = [
    "WHEELS",
    "Capability",
    "Chunk",
    "Completion",
    "FakeModel",
    "GenerativeModel",
    "LanguageModel",
    "LikelihoodModel",
    "Likelihoods",
    "Message",
    "Prompt",
    "Sampling",
    "StateModel",
    "States",
    "Wheel",
    "downloads_allowed",
    "find_weights",
    "weights_digest",
]
