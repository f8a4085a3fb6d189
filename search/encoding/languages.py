"""The languages of a collection, for lexical legs that detect the language of each document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from ...encoders import AnalyzerConfig, MultilingualEncoder, detects_languages
from ...encoders.lexical.multilingual import markers
from ...index import Store
from .leg_encoders import LegEncoders


def multilingual(encoders: LegEncoders, leg: str) -> MultilingualEncoder | None:
    """Return the encoder of a leg that detects languages; None for any other leg."""
    if not detects_languages(encoders.key(leg)):
        return None
    encoder = encoders[leg]
    return encoder if isinstance(encoder, MultilingualEncoder) else None


class Languages(Protocol):
    """Counts the passages of a collection in each language."""

    def passages(self, leg: str) -> Mapping[str, int]: ...


class HiddenLanguages:
    """Counts no passages, for a part of a collection."""

    def passages(self, leg: str) -> Mapping[str, int]:
        """Return {}."""
        return {}


class CollectionLanguages:
    """Counts the passages in each language. Thread-safe.

    Keeps the counts until the collection changes.
    """

    def __init__(self, store: Store, encoders: LegEncoders) -> None:
        self._store = store
        self._encoders = encoders
        self._counted: dict[str, tuple[int, Mapping[str, int]]] = {}

    def passages(self, leg: str) -> Mapping[str, int]:
        """Return language -> number of passages, largest first; {} if the leg detects no languages.

        A passage counts for each language in which its title or its text is analysed.
        """
        encoder = self._encoders.key(leg)
        if not (isinstance(encoder, AnalyzerConfig) and encoder.detects):
            return {}
        terms = markers(encoder)
        with self._store.view() as view:
            generation, counts = self._counted.get(leg, (-1, {}))
            if generation != view.generation:
                marked = view.frequencies(leg, list(terms.values()))
                present = [(marked[term], code) for code, term in terms.items() if marked[term]]
                counts = {code: n for n, code in sorted(present, key=lambda one: (-one[0], one[1]))}
                self._counted[leg] = (view.generation, counts)
        return counts
