"""What a generator would read for a question, without an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from ...core import SearchResult
from ...core.answers import LeftOut, Source
from ...encoders.lexical.config import AnalyzerConfig
from ...encoders.lexical.encoder import LexicalEncoder
from ...generate.citing.support import Terms


@dataclass(frozen=True, slots=True)
class Evidence:
    """The sources that a generator would read for a question.

    sources:    the sources, in the order of the prompt.
    left_out:   the passages that were found and would not be sent, by rank.
    predictors: name -> value of the predictors that a rule of abstention can use. The module
                `twindex.search.answering.predictors` documents them.
    search:     the result of the search.
    """

    sources: Sequence[Source]
    left_out: Sequence[LeftOut]
    predictors: Mapping[str, float]
    search: SearchResult


@lru_cache(maxsize=32)
def content_words(language: str) -> Terms:
    """Return the function that returns the content words of a text in a language.

    language: an ISO 639-1 code, or "none".

    Raises ConfigError for an unknown language.
    """
    return LexicalEncoder(AnalyzerConfig(language=language)).count
