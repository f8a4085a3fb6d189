"""What a question asks for: a date, a number, a person or a place; and sentences that contain one.

Only a date, number or name that is not in the question can be the answer. So "Zoe Hart is a
doctor" names no person for "Who played Zoe Hart?". Questions are recognised by their words in
English and German; other questions expect nothing.

Prager, "Open-domain question-answering" (2006), describes the selection of sentences by the type of
the expected answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

DATE = 2.0
"""What a date adds to the logarithm of the score of a sentence, if the question asks for one."""

NUMBER = 1.5
"""The same for a number."""

PERSON = 1.4
"""The same for the name of a person."""

PLACE = 1.0
"""The same for the name of a place."""

Expected = Callable[[str], float]
"""Function from a sentence to what it adds to the logarithm of its score."""

_ASKS_DATE = re.compile(
    r"\b(?:when|wann|(?:what|which|welche[mnrs]?)\s+(?:year|date|day|month|decade|century|jahr|tag"
    r"|datum|monat|jahrzehnt|jahrhundert))\b",
    re.IGNORECASE,
)
_ASKS_NUMBER = re.compile(
    r"\b(?:how\s+(?:many|much|long|old|far|tall|high|large|big|often|deep|fast|heavy|wide)"
    r"|what\s+(?:number|percentage|percent|age|size)"
    r"|wie\s*(?:viele?|lang|lange|alt|weit|hoch|groß|oft|tief|schnell|schwer|breit))\b",
    re.IGNORECASE,
)
_ASKS_PERSON = re.compile(r"\b(?:who|whom|whose|wer|wen|wem|wessen)\b", re.IGNORECASE)
_ASKS_PLACE = re.compile(
    r"\b(?:where|wo|woher|wohin|(?:which|what|welche[mnrs]?)\s+(?:city|country|state|town|place"
    r"|county|continent|stadt|land|ort|staat|kontinent))\b",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"\b(?:1\d{3}|20\d\d|January|February|March|April|May|June|July|August|September|October"
    r"|November|December|Januar|Februar|März|Mai|Juni|Juli|Oktober|Dezember|Monday|Tuesday"
    r"|Wednesday|Thursday|Friday|Saturday|Sunday|Montag|Dienstag|Mittwoch|Donnerstag|Freitag"
    r"|Samstag|Sonntag|[Ss]pring|[Ss]ummer|[Aa]utumn|[Ww]inter|Frühling|Sommer|Herbst"
    r"|century|Jahrhundert)(?![^\W_s])"
)
_NUMBER = re.compile(
    r"\d+|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty"
    r"|fifty|hundred|thousand|million|billion|half|dozen|zwei|drei|vier|fünf|sechs|sieben|acht|neun"
    r"|zehn|elf|zwölf|hundert|tausend|Millionen|Milliarden)\b",
    re.IGNORECASE,
)
_NAME = re.compile(r"(?<=[\w,;:] )[A-ZÀ-ÖØ-Þ][\w’'-]+")
"""A word with a capital letter that does not begin a sentence."""
_FULL_NAME = re.compile(
    r"\b[A-ZÀ-ÖØ-Þ][\w’'.-]{0,60} (?:(?:de|van|von|der|bin|al) )?[A-ZÀ-ÖØ-Þ][\w’'-]+"
)
"""Two adjacent words with capital letters. The limit of the first keeps the time linear."""
_LOCATED = re.compile(
    r"\b(?:in|at|near|on|from|to|of|into|across|im|am|aus|bei|nach|von)"
    r" (?:the |der |den |dem )?[A-ZÀ-ÖØ-Þ][\w’'-]+"
)
_WORDS = re.compile(r"\w+")


def expected(question: str, *, names: bool) -> Expected | None:
    """Return what a question expects of a sentence; None if it is unknown.

    names: a capital letter inside a sentence marks a name. False for German.
    """
    known = frozenset(_words(question))

    def new(found: Iterator[re.Match[str]]) -> bool:
        return any(not known.issuperset(_words(one.group())) for one in found)

    def person(text: str) -> bool:
        return new(_FULL_NAME.finditer(text)) or (names and new(_NAME.finditer(text)))

    if _ASKS_DATE.search(question):
        return lambda text: DATE if new(_DATE.finditer(text)) else 0.0
    if _ASKS_NUMBER.search(question):
        return lambda text: NUMBER if new(_NUMBER.finditer(text)) else 0.0
    if _ASKS_PERSON.search(question):
        return lambda text: PERSON if person(text) else 0.0
    if _ASKS_PLACE.search(question):
        return lambda text: PLACE if new(_LOCATED.finditer(text)) else 0.0
    return None


def _words(text: str) -> list[str]:
    return _WORDS.findall(text.casefold())
