"""Generators: they write answers to questions from passages, and cite the passages.

All generators implement the protocol `Generator`.
"""

from . import kinds as kinds
from .abstention import AbstentionConfig, FeatureWeight
from .config import GENERATORS, GeneratorConfig, GeneratorLoader, Generators, load_generator
from .fake import FakeGeneratorConfig
from .protocol import (
    AnswerOptions,
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
    "GENERATORS",
    "AbstentionConfig",
    "AnswerOptions",
    "Candidate",
    "CitationOptions",
    "ContextOptions",
    "ExtractiveConfig",
    "FakeGeneratorConfig",
    "FeatureWeight",
    "Generator",
    "GeneratorConfig",
    "GeneratorLoader",
    "Generators",
    "LanguageModelGeneratorConfig",
    "Task",
    "Writer",
    "WritingGenerator",
    "load_generator",
]
