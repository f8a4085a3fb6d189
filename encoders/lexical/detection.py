"""Detection of the language of a text, by py3langid: naive Bayes on sequences of bytes.

The model is part of the package and needs no network. Source: Lui and Baldwin 2012, "langid.py: An
Off-the-shelf Language Identification Tool".
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.metadata import version
from lzma import LZMAError
from threading import Lock
from typing import Any

from ...core import ModelError
from .languages import same

_HALF = 256
"""Number of characters that are read at the beginning and in the middle of a long text."""
_CACHED_TEXTS = 256
_loading = Lock()


def detector() -> str:
    """Return the name and the version of the detector, for fingerprints."""
    return f"py3langid {version('py3langid')}"


def sample(text: str) -> str:
    """Return the part of a text that detection reads: its beginning and its middle."""
    if len(text) <= 2 * _HALF:
        return text
    middle = (len(text) - _HALF) // 2
    return f"{text[:_HALF]} {text[max(middle, _HALF) :][:_HALF]}"


def probabilities(text: str) -> Mapping[str, float]:
    """Return language code -> probability that the text is written in this language.

    Codes have two letters and include languages that Twindex does not support. The probabilities
    add up to 1. For a text without letters, all languages have the same probability.
    """
    return _probabilities(sample(text))


@lru_cache(maxsize=_CACHED_TEXTS)
def _probabilities(text: str) -> Mapping[str, float]:
    found: dict[str, float] = {}
    for label, probability in _identifier().rank(text):
        code = same(label)
        if (
            len(code) == 2
        ):  # Dialects have longer codes, and short texts are often mistaken for a dialect.
            found[code] = found.get(code, 0.0) + probability
    total = sum(found.values())
    return {code: probability / total for code, probability in found.items()}


def _identifier() -> Any:
    with _loading:
        return _load()


@cache
def _load() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # Reading the model takes a second.

    try:
        return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    except (OSError, ValueError, EOFError, LZMAError) as error:
        raise ModelError(
            f"the language detector cannot be loaded: {error}. The detector needs about 70 MB in "
            "the folder for temporary files (TMPDIR). If this folder has enough space, install "
            "py3langid again"
        ) from error
