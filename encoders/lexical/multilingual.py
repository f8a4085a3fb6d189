"""Lexical analysis of documents in several languages.

Each document is analysed in its own language: the language in its metadata field `language`, or the
detected language. The metadata field `title_language` names another language for its title. Terms
of all languages share one dictionary, so names match across languages.

A query is analysed in its own language if this language is given, or is detected with certainty.
Otherwise the query is analysed in every language of the collection. A term that several analyses
return counts once.

Each passage has an additional term, such as `language:de`, for each language in which a part of it
is analysed. No text can contain such a term. These terms show which languages a collection has, and
how many passages of each language.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import sqrt
from typing import Any

import Stemmer

from ...core import Document, InvalidInputError, Representation, Role, TermCounts
from .config import AnalyzerConfig
from .detection import detector, probabilities
from .encoder import BATCH, VERSION, LexicalEncoder, Token
from .languages import AUTO, NONE, code_of, detected_among

Languages = tuple[str, ...]
"""Codes of the languages in which one text is analysed.

Of a document they are the language of its text and, if another, the language of its title.
"""

CERTAIN = 0.9
"""Least probability at which a query is analysed in its detected language only."""

PROBABLE = 0.2
"""Least probability at which "auto" accepts the detected language of a document."""

_MARKER = "language:"


def load_analyzer(config: AnalyzerConfig) -> LexicalEncoder | MultilingualEncoder:
    """Return the analyzer of a configuration. Raises ConfigError for an unknown language."""
    return MultilingualEncoder(config) if config.detects else LexicalEncoder(config)


def markers(config: AnalyzerConfig) -> dict[str, str]:
    """Return language -> marker term, for all languages that may be detected.

    Every passage in a language contains the language's marker term.
    """
    return {code: f"{_MARKER}{code}" for code in (*detected_among(config.language), NONE)}


class MultilingualEncoder:
    """The text analyzer of several languages, for BM25. Thread-safe.

    Fills `terms` of the Representation.
    """

    gives = AnalyzerConfig.gives

    def __init__(self, config: AnalyzerConfig) -> None:
        self.config = config
        self.languages = detected_among(config.language)
        self._analyzers: dict[tuple[str, bool], LexicalEncoder] = {}

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        return {
            **self.config.model_dump(),
            "stopwords": self.config.stopwords is not False,
            "version": VERSION,
            "snowball": Stemmer.version() if self.config.stem else None,
            "detector": detector(),
        }

    def analyzer(self, language: str) -> LexicalEncoder:
        """Return the analyzer of one language."""
        return self._analyzer(language, self.config.stem)

    def _analyzer(self, language: str, stem: bool) -> LexicalEncoder:
        found = self._analyzers.get((language, stem))
        if found is None:
            stopwords = False if self.config.stopwords is False else None
            own = AnalyzerConfig(language=language, stem=stem, stopwords=stopwords)
            found = self._analyzers.setdefault((language, stem), LexicalEncoder(own))
        return found

    # -- languages ---------------------------------------------------------------------------

    def document_languages(self, document: Document) -> Languages:
        """Return the language of a document's text, then the title's language if it differs.

        The metadata fields `language` (of the text) and `title_language` name the languages,
        perhaps with a region, as in "pt-BR". A value that is not one of `self.languages` is
        ignored. Without `language`, the language of the text is detected. Without `title_language`,
        the title has the language of the text.
        """
        title = self._named(document, "title_language") if document.title.strip() else None
        if title is None:
            own = self._named(document, "language")
            return (own or self.detect(f"{document.title} {document.text}"),)
        if not document.text.strip():
            return (title,)
        own = self._named(document, "language") or self.detect(document.text)
        return (own,) if own == title else (own, title)

    def _named(self, document: Document, field: str) -> str | None:
        """Return the language in a metadata field; None if it is not one of `self.languages`."""
        code = code_of(document.metadata.get(field))
        return code if code in self.languages else None

    def detect(self, text: str) -> str:
        """Return the code of the language of a text.

        If "auto" is configured, the result is "none" for a text whose language is not supported or
        is uncertain. If a list of languages is configured, the result is always a language of the
        list. For a text without letters, it is the first language of the list.
        """
        found = probabilities(text)
        if self.config.language == AUTO:
            best = max(found, key=lambda code: (found[code], code))
            return best if found[best] >= PROBABLE and best in self.languages else NONE
        return max(self.languages, key=lambda code: found.get(code, 0.0))

    def query_languages(
        self, text: str, language: str | None, passages: Mapping[str, int]
    ) -> Languages:
        """Return the languages in which a query is analysed.

        language: language of the query, perhaps with a region, as in "pt-BR". None: detect it.
        passages: language -> number of the collection's passages in this language.

        Detection considers only languages that have passages. The probability of a language is
        multiplied by the square root of its number of passages. If no language is certain, the
        result is all of these languages. If the collection has passages with the language "none",
        the last language of the result is "none".

        Raises InvalidInputError for a language that is not one of `self.languages`.
        """
        plain = (NONE,) if passages.get(NONE) else ()
        if language is not None:
            code = self._checked(language)
            return (code, *(plain if code != NONE else ()))
        present = sorted(code for code, n in passages.items() if n and code != NONE)
        if len(present) > 1:
            found = probabilities(text)
            chances = {code: found.get(code, 0.0) * sqrt(passages[code]) for code in present}
            best = max(present, key=lambda code: chances[code])
            if chances[best] > 0 and chances[best] >= CERTAIN * sum(chances.values()):
                present = [best]
        return (*present, *plain) or (NONE,)

    def _checked(self, language: str) -> str:
        code = code_of(language) or language
        if code == NONE or code in self.languages:
            return code
        raise InvalidInputError(
            f'must be one of {", ".join(self.languages)}, or "none", got {language!r}',
            field="language",
        )

    # -- analysis ----------------------------------------------------------------------------

    def encode(
        self,
        texts: Sequence[str],
        *,
        role: Role,
        advance: Callable[[int], None] | None = None,
        languages: Sequence[Languages] | None = None,
        titles: Sequence[str] | None = None,
    ) -> Representation:
        """Count the terms of each text. See Encoder.

        languages: for each text, the languages in which it is analysed; None: detect them.
        titles:    for each text, the title with which the text begins. It matters only for a text
                   with two languages: the second is the language of the title. None: no titles.
        """
        rows: list[TermCounts] = []
        for start in range(0, len(texts), BATCH):
            batch = texts[start : start + BATCH]
            for i, text in enumerate(batch, start):
                own = (self.detect(text),) if languages is None else languages[i]
                if role == "document":
                    rows.append(self._document(text, own, "" if titles is None else titles[i]))
                else:
                    rows.append(self._query(text, own))
            if advance is not None:
                advance(len(batch))
        return Representation(terms=rows)

    def _document(self, text: str, languages: Languages, title: str) -> TermCounts:
        if len(languages) == 1:
            (language,) = languages
            return {**self.analyzer(language).count(text), f"{_MARKER}{language}": 1}
        terms: Counter[str] = Counter()
        end = len(title.strip())
        for language, part in zip(languages, (text[end:], text[:end]), strict=True):
            if part.strip():
                terms.update(self.analyzer(language).count(part))
                terms[f"{_MARKER}{language}"] = 1
        return terms

    def _query(self, text: str, languages: Languages) -> TermCounts:
        if len(languages) == 2 and languages[1] == NONE:
            # Also search for the unstemmed words, to match documents without a language. Stopwords
            # are left out: they are rare in these documents, and so their weights would be high.
            analyzers = [self.analyzer(languages[0]), self._analyzer(languages[0], stem=False)]
        else:
            analyzers = [self.analyzer(language) for language in languages]
        terms: dict[str, int] = {}
        for analyzer in analyzers:
            for term, count in analyzer.count(text).items():
                terms[term] = max(count, terms.get(term, 0))
        return terms

    def tokens(self, text: str) -> list[Token]:
        """Return the terms of a text in order, with their offsets, in its detected language."""
        return self.analyzer(self.detect(text)).tokens(text)

    def term(self, index: int) -> str:
        """Raise InvalidInputError, because an analyzer has no sparse vectors."""
        raise InvalidInputError("an analyzer has no sparse vectors: use a sparse encoder")
