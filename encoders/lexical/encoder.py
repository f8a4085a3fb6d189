"""Lexical analysis: how text becomes the terms that BM25 counts.

1. Words are runs of letters, digits and combining marks. An underscore separates words. A point or
   comma between digits joins them ("3.14"). In English an apostrophe joins letters ("o'neil"), and
   a possessive 's is dropped. In other languages an apostrophe separates words ("l'avion" is "l"
   and "avion").
2. In scripts without spaces (Han, kana, Hangul, Thai, Lao, Khmer, Myanmar) each pair of adjacent
   characters is a term. Each Han character is also a term, so that words of one character can be
   found (Nie et al. 2000).
3. Words are normalised by NFKC and case folding. Accents stay. In Turkish, i and dotless ı remain
   different letters.
4. Stopwords of the language are dropped. Snowball stems the remaining words.

Words of more than `MAX_WORD` characters are dropped: they are usually data, and queries do not
contain them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import Any, cast
from unicodedata import normalize

import Stemmer

from ...core import ConfigError, InvalidInputError, Representation, Role, TermCounts
from ..scripts import HAN, INVISIBLE, SPACELESS, marks
from .config import AnalyzerConfig
from .languages import SNOWBALL, check_language, stopwords, with_stopwords

VERSION = 1
"""Version of the analysis. Increase it when a change produces different terms for a text."""

MAX_WORD = 255
CACHED_WORDS = 500_000
BATCH = 256

_SPACELESS = re.compile(f"[{SPACELESS}]")
_HAN = re.compile(f"[{HAN}]")


@dataclass(frozen=True, slots=True)
class Token:
    """A term and the part of the text that it comes from: characters [start, end)."""

    term: str
    start: int
    end: int


class LexicalEncoder:
    """The text analyzer of one language, for BM25. It analyses queries and documents alike.

    Fills `terms` of the Representation.
    """

    gives = AnalyzerConfig.gives

    def __init__(self, config: AnalyzerConfig | None = None) -> None:
        config = config or AnalyzerConfig()
        language = config.language
        if config.detects:
            raise ConfigError(
                f'must be one language, such as "en", got {language!r}: languages are detected '
                "only in a lexical leg of a collection",
                field="language",
            )
        check_language(language)
        if config.stopwords and not stopwords(language):
            raise ConfigError(
                f"no stopword list for {language!r}: leave out `stopwords`, or choose one of the "
                f"languages {', '.join(with_stopwords())}",
                field="stopwords",
            )
        self.config = config
        self._terms = _Terms(config)
        self._words = _words(apostrophe=language == "en")
        self._ascii_words = _ascii_words(apostrophe=language == "en")

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        language = self.config.language
        stems = self.config.stem and language in SNOWBALL
        return {
            **self.config.model_dump(),
            "stopwords": self.config.stopwords is not False and bool(stopwords(language)),
            "version": VERSION,
            "snowball": Stemmer.version() if stems else None,
        }

    def encode(
        self,
        texts: Sequence[str],
        *,
        role: Role,
        advance: Callable[[int], None] | None = None,
    ) -> Representation:
        """Count the terms of each text. `role` is ignored. See Encoder."""
        rows: list[TermCounts] = []
        for start in range(0, len(texts), BATCH):
            batch = texts[start : start + BATCH]
            rows.extend(map(self.count, batch))
            if advance is not None:
                advance(len(batch))
        return Representation(terms=rows)

    def tokens(self, text: str) -> list[Token]:
        """Return the terms of a text in order, with their offsets.

        In scripts without spaces, terms overlap: each pair of adjacent characters is a term.
        """
        tokens = []
        for match in self._words.finditer(text):
            for term, start, end in self._read(match.group(), match.start()):
                if term is not None:
                    tokens.append(Token(term, start, end))
        return tokens

    def matches(self, text: str, terms: Set[str]) -> list[Token]:
        """Return the tokens of a text whose terms are in `terms`, in order. See `tokens`."""
        if not terms:
            return []
        if not text.isascii() and _SPACELESS.search(text):
            return [token for token in self.tokens(text) if token.term in terms]
        term_of = self._terms
        return [
            Token(term, match.start(), match.end())
            for match in (self._ascii_words if text.isascii() else self._words).finditer(text)
            if (term := term_of[match.group()]) in terms and term is not None
        ]

    def term(self, index: int) -> str:
        """Raise InvalidInputError, because an analyzer has no sparse vectors."""
        raise InvalidInputError("an analyzer has no sparse vectors: use a sparse encoder")

    def count(self, text: str) -> TermCounts:
        """Return the frequency of each term of a text."""
        words = (self._ascii_words if text.isascii() else self._words).findall(text)
        if not text.isascii() and _SPACELESS.search(text):
            counts = Counter(term for word in words for term, _, _ in self._read(word, 0))
        else:
            counts = Counter(map(self._terms.__getitem__, words))
        counts.pop(None, None)
        return cast(TermCounts, counts)

    def _read(self, word: str, offset: int) -> Iterator[tuple[str | None, int, int]]:
        """Yield (term, start, end) for each term of `word`, which begins at `offset` of the text.

        `start` and `end` are offsets in the text. The term of a dropped word is None.
        """
        if not _SPACELESS.match(word):
            yield self._terms[word], offset, offset + len(word)
            return
        characters = [(m.group(), m.start(), m.end()) for m in _characters().finditer(word)]
        for here, after in zip(characters, [*characters[1:], None], strict=True):
            text, start, end = here
            if _HAN.match(text) or len(characters) == 1:
                yield self._terms[text], offset + start, offset + end
            if after is not None:
                yield self._terms[text + after[0]], offset + start, offset + after[2]


class _Terms(dict[str, str | None]):
    """A cache: word as written -> its term. None: the word is dropped (see the module's rules).

    Thread-safe: a lock protects the stemmer, which is not thread-safe.
    """

    def __init__(self, config: AnalyzerConfig) -> None:
        language = config.language
        self._language = language
        self._lock = Lock()
        self._stop: frozenset[str] = frozenset()
        self._stem: Callable[[str], str] = str
        if config.stopwords is not False:
            self._stop = frozenset(map(self._fold, stopwords(language)))
        if config.stem and language in SNOWBALL:
            self._stem = Stemmer.Stemmer(SNOWBALL[language], 0).stemWord

    def __missing__(self, word: str) -> str | None:
        folded = self._fold(word)
        term = None
        if 0 < len(folded) <= MAX_WORD and folded not in self._stop:
            with self._lock:
                term = self._stem(folded)
        if len(self) >= CACHED_WORDS:
            self.clear()
        self[word] = term
        return term

    def _fold(self, word: str) -> str:
        if self._language == "tr":
            word = word.replace("I", "ı").replace("İ", "i")
        if word.isascii():
            word = word.lower()
        else:
            word = word.translate(_REWRITTEN)
            word = normalize("NFKC", normalize("NFKC", word).casefold())
        return word.removesuffix("'s") if self._language == "en" else word


_REWRITTEN = {**dict.fromkeys(map(ord, INVISIBLE)), ord("’"): "'"}


def _joint(*, apostrophe: bool) -> str:
    return r"(?<=\d)[.,](?=\d)" + (r"|['’](?=[^\W\d_])" if apostrophe else "")


@cache
def _ascii_words(*, apostrophe: bool) -> re.Pattern[str]:
    """Return a pattern that finds the same words as `_words` in ASCII text, but faster."""
    word = r"[^\W_]+"
    return re.compile(f"{word}(?:(?:{_joint(apostrophe=apostrophe)}){word})*")


@cache
def _words(*, apostrophe: bool) -> re.Pattern[str]:
    # The lookahead skips the long class of marks for most characters.
    mark, other = rf"(?![\0-\x7f])[{marks()}]", rf"[^\W_{SPACELESS}]"
    word = f"{other}+(?:(?:{mark})+{other}*)*"
    run = f"[{SPACELESS}](?:[{SPACELESS}]|{mark})*"
    return re.compile(f"{word}(?:(?:{_joint(apostrophe=apostrophe)}){word})*|{run}")


@cache
def _characters() -> re.Pattern[str]:
    """Return a pattern for one character of a script without spaces, with its marks."""
    return re.compile(f"[{SPACELESS}][{marks()}]*")
