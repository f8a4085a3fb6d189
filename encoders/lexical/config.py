"""The configuration of text analysis for BM25."""

from __future__ import annotations

from typing import Literal

from ...core.config import Flag
from ..config import ENCODERS, EncoderConfig


@ENCODERS.register
class AnalyzerConfig(EncoderConfig):
    """How text becomes terms for BM25: Snowball stems of lower-case words, without stopwords."""

    made_by = ".multilingual:load_analyzer"
    gives = frozenset({"terms"})
    models = {}  # noqa: RUF012

    kind: Literal["analyzer"] = "analyzer"
    language: str = "en"
    """Language of the texts, which selects stemmer and stopwords: an ISO 639-1 code ("en", "de",
    "ja", ...); several, as in "de,en", or "auto" (all) to detect the language of each document; or
    "none" for no stems and no stopwords."""
    stem: Flag = True
    """Replace words by their stems."""
    stopwords: Flag | None = None
    """Drop the language's stopwords; None = true if Twindex has a list for the language."""

    @property
    def label(self) -> str:
        """The value of `language`, for display."""
        return self.language

    @property
    def detects(self) -> bool:
        """True if several languages are configured, so that each text's language is detected."""
        return self.language == "auto" or "," in self.language


def detects_languages(config: EncoderConfig) -> bool:
    """Return True for an analyzer that detects the language of each text."""
    return isinstance(config, AnalyzerConfig) and config.detects
