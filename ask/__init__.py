"""Sends questions to language models, in batches and within limits, and counts calls and tokens."""

from ..core import Status
from .config import LanguageModelConfig, Limits
from .course import Course, Judge, Judgement, Outcome
from .memory import Memory, digest
from .meter import Cost, Meter
from .rounds import Rounds
from .running import Finished, as_twindex_error

__all__ = [
    "Cost",
    "Course",
    "Finished",
    "Judge",
    "Judgement",
    "LanguageModelConfig",
    "Limits",
    "Memory",
    "Meter",
    "Outcome",
    "Rounds",
    "Status",
    "as_twindex_error",
    "digest",
]
