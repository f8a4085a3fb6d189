"""The languages of the lexical analysis: their codes, stemmers and stopwords."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import Stemmer

from ...core import ConfigError

AUTO = "auto"
"""The value of `language` for detecting each document's language among all supported ones."""

NONE = "none"
"""The code for texts in languages that are not supported: no stems and no stopwords."""

SNOWBALL = {
    "ar": "arabic",
    "ca": "catalan",
    "cs": "czech",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "eo": "esperanto",
    "es": "spanish",
    "et": "estonian",
    "eu": "basque",
    "fa": "persian",
    "fi": "finnish",
    "fr": "french",
    "ga": "irish",
    "hi": "hindi",
    "hu": "hungarian",
    "hy": "armenian",
    "id": "indonesian",
    "it": "italian",
    "lt": "lithuanian",
    "ne": "nepali",
    "nl": "dutch",
    "no": "norwegian",
    "pl": "polish",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sr": "serbian",
    "st": "sesotho",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
    "yi": "yiddish",
}
"""ISO 639-1 code -> name of the Snowball stemmer."""

UNSTEMMED = ("ja", "km", "ko", "lo", "my", "th", "zh")
"""Languages whose scripts have no spaces: their terms are pairs of characters, without stems."""

_SAME = {"ary": "ar", "arz": "ar", "in": "id", "nb": "no", "nn": "no", "wuu": "zh", "yue": "zh"}
"""Code of a language -> code of the language whose rules are used to analyse it."""


@cache
def stemmed() -> tuple[str, ...]:
    """Return the codes of the languages that the installed Snowball can stem."""
    known = set(Stemmer.algorithms())
    return tuple(code for code, name in SNOWBALL.items() if name in known)


@cache
def supported() -> tuple[str, ...]:
    """Return the codes of all languages in which texts can be analysed, without "none"."""
    return tuple(sorted((*stemmed(), *UNSTEMMED)))


@cache
def stopwords(language: str) -> frozenset[str]:
    """Return the stopwords of a language. Empty if Twindex has no list for it."""
    resource = files(__package__).joinpath("stopwords", f"{language}.txt")
    if not resource.is_file():
        return frozenset()
    return frozenset(resource.read_text(encoding="utf-8").split())


@cache
def with_stopwords() -> tuple[str, ...]:
    """Return the codes of the languages that Twindex has stopwords for."""
    return tuple(code for code in supported() if stopwords(code))


def check_language(language: str) -> None:
    """Raise ConfigError unless `language` is a supported code or "none"."""
    if language != NONE and language not in supported():
        raise ConfigError(
            f"cannot analyse the language {language!r}: choose one of {', '.join(supported())}, or "
            '"none" for no stems and no stopwords',
            field="language",
        )


def detected_among(language: str) -> tuple[str, ...]:
    """Return the codes of the languages from which detection chooses a document's language.

    Returns all supported languages for "auto", and an empty tuple for a single code, because then
    no language is detected.

    language: the configured value: "auto", one code, or several codes separated by commas.

    Raises ConfigError for a code that is not supported or occurs twice.
    """
    if language == AUTO:
        return supported()
    codes = tuple(language.split(","))
    if len(codes) == 1:
        return ()
    for code in codes:
        check_language(code)
        if code == NONE or codes.count(code) > 1:
            wrong = "means no language" if code == NONE else "occurs twice"
            raise ConfigError(
                f"{code!r} {wrong} in {language!r}: remove {code!r}", field="language"
            )
    return codes


def same(code: str) -> str:
    """Return the code of the language whose rules are used to analyse `code`: "no" for "nn"."""
    return _SAME.get(code, code)


def code_of(name: object) -> str | None:
    """Return the supported language code that `name` stands for, such as "de" for "de-AT".

    Returns None if `name` is not a supported language. `name` may be any value, for example a
    value from a document's metadata.
    """
    if not isinstance(name, str):
        return None
    code = name.strip().lower().replace("_", "-").partition("-")[0]
    code = same(code)
    return code if code in supported() else None
