"""How text becomes terms, configured."""

from __future__ import annotations

from typing import Literal

from ..config import EncoderConfig


class AnalyzerConfig(EncoderConfig):
    """How text becomes terms: Unicode words, lower case, stopwords out, Snowball stems.

    language: an ISO 639-1 code with a Snowball stemmer ("en", "de", ...), or "none" for words
    only (no stemming and no stopwords).
    stopwords: leave out the language's; None = where there is a list of them.
    """

    made_by = ".encoder:LexicalEncoder"
    gives = frozenset({"terms"})
    models = {}  # noqa: RUF012

    kind: Literal["analyzer"] = "analyzer"
    language: str = "en"
    stem: bool = True
    stopwords: bool | None = None

    @property
    def label(self) -> str:
        """The language."""
        return self.language
