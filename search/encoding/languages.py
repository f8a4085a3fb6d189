"""The languages of a collection, for lexical legs that detect the language of each document."""

from __future__ import annotations

from collections.abc import Mapping

from ...encoders import MultilingualEncoder, detects_languages
from ...index import Store
from .leg_encoders import LegEncoders


def multilingual(encoders: LegEncoders, leg: str) -> MultilingualEncoder | None:
    """Return the encoder of a leg that detects languages; None for any other leg."""
    if not detects_languages(encoders.key(leg)):
        return None
    encoder = encoders[leg]
    return encoder if isinstance(encoder, MultilingualEncoder) else None


class CollectionLanguages:
    """Counts the passages in each language. Thread-safe.

    Keeps the counts until the collection changes.
    """

    def __init__(self, store: Store, encoders: LegEncoders) -> None:
        self._store = store
        self._encoders = encoders
        self._counted: dict[str, tuple[int, Mapping[str, int]]] = {}

    def passages(self, leg: str) -> Mapping[str, int]:
        """Return language -> number of passages, the most frequent language first.

        Empty for a leg that does not detect languages.
        """
        encoder = multilingual(self._encoders, leg)
        if encoder is None:
            return {}
        with self._store.view() as view:
            generation, counts = self._counted.get(leg, (-1, {}))
            if generation != view.generation:
                marked = view.frequencies(leg, list(encoder.markers().values()))
                found = {code: marked[term] for code, term in encoder.markers().items()}
                present = [(n, code) for code, n in found.items() if n]
                counts = {code: n for n, code in sorted(present, key=lambda one: (-one[0], one[1]))}
                self._counted[leg] = (view.generation, counts)
        return counts
