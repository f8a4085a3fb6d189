"""How text becomes terms, configured."""

from __future__ import annotations

from typing import Literal

from ..config import ENCODERS, EncoderConfig


@ENCODERS.register
class AnalyzerConfig(EncoderConfig):
    """How text becomes terms: Unicode words, lower case, stopwords out, Snowball stems."""

    made_by = ".encoder:LexicalEncoder"
    gives = frozenset({"terms"})
    models = {}  # noqa: RUF012

    kind: Literal["analyzer"] = "analyzer"
    language: str = "en"
    """Of the texts, for stems and stopwords: an ISO 639-1 code with a Snowball stemmer ("en", "de",
    ...), or "none" for bare words."""
    stem: bool = True
    """Words become their stems."""
    stopwords: bool | None = None
    """Leave out the language's stopwords; None = where there is a list of them."""

    @property
    def label(self) -> str:
        """The language."""
        return self.language
