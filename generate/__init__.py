"""Generators: they write answers to questions from passages, and cite the passages.

All generators implement the protocol `Generator`.
"""

from . import kinds as kinds
from .abstention import AbstentionConfig, FeatureWeight
from .background.clustered import ClusteredBackgroundConfig
from .background.config import BACKGROUNDS, BackgroundConfig, BackgroundLoader, load_background
from .background.fake import FakeBackgroundConfig
from .background.language_model import LanguageModelBackgroundConfig
from .background.protocol import Background, WrittenBackground
from .config import GENERATORS, GeneratorConfig, GeneratorLoader, Generators, load_generator
from .fake import FakeGeneratorConfig
from .protocol import (
    AnswerOptions,
    BackgroundOptions,
    Candidate,
    CitationOptions,
    ContextOptions,
    Generator,
    Task,
)
from .writers.extractive import ExtractiveConfig
from .writers.language_model import LanguageModelGeneratorConfig
from .writing import Writer, WritingGenerator

__all__ = [
    "BACKGROUNDS",
    "GENERATORS",
    "AbstentionConfig",
    "AnswerOptions",
    "Background",
    "BackgroundConfig",
    "BackgroundLoader",
    "BackgroundOptions",
    "Candidate",
    "CitationOptions",
    "ClusteredBackgroundConfig",
    "ContextOptions",
    "ExtractiveConfig",
    "FakeBackgroundConfig",
    "FakeGeneratorConfig",
    "FeatureWeight",
    "Generator",
    "GeneratorConfig",
    "GeneratorLoader",
    "Generators",
    "LanguageModelBackgroundConfig",
    "LanguageModelGeneratorConfig",
    "Task",
    "Writer",
    "WritingGenerator",
    "WrittenBackground",
    "load_background",
    "load_generator",
]
