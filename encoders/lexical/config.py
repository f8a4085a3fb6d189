"""The configuration of text analysis for BM25."""

from __future__ import annotations

from typing import Literal

from ...core.config import Flag
from ..config import ENCODERS, EncoderConfig


@ENCODERS.register
class AnalyzerConfig(EncoderConfig):
    """How text becomes terms for BM25: Snowball stems of lower-case words, without stopwords."""

    made_by = ".encoder:LexicalEncoder"
    gives = frozenset({"terms"})
    models = {}  # noqa: RUF012

    kind: Literal["analyzer"] = "analyzer"
    language: str = "en"
    """Language of the texts, which selects stemmer and stopwords: an ISO 639-1 code that Snowball
    supports ("en", "de", ...), or "none" for no stems and no stopwords."""
    stem: Flag = True
    """Replace words by their stems."""
    stopwords: Flag | None = None
    """Drop the language's stopwords; None = true if Twindex has a list for the language."""

    @property
    def label(self) -> str:
        """The language code, for display."""
        return self.language
