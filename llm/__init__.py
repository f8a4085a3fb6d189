"""Language models: finds their weights on this machine, identifies them and runs them."""

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
