"""Words of a text as NLTK's `word_tokenize` gives them, without NLTK and its downloads.

PromptReps takes the terms of a text from these words, so its results depend on their details:

1. A sign is a word by itself: brackets, quotes, `; @ # $ % & ? ! *`, dashes (`--` and the long
   ones), runs of periods; a comma or colon too unless a digit follows. Hyphens, slashes and single
   periods inside stay ("state-of-the-art", "e.g", "3.14").
2. A period that ends a sentence is a word. It does if white space follows (or closing quotes and
   brackets, then white space), unless it belongs to an abbreviation, an initial or a number; the
   last period of a text always does. NLTK finds sentences with a trained model (Kiss and Strunk
   2006) instead, which in lower-cased text comes to nearly this, but knows other abbreviations.
3. A double quote is written `` where it opens and '' where it closes.
4. Contractions are parted: "do" "n't", "it" "'s", "can" "not", "gon" "na".
"""

from __future__ import annotations

import re

CLOSERS = "\\])}>\"'»”’"

ABBREVIATIONS = (
    *("al", "approx", "ca", "cf", "co", "corp", "dept", "dr", "ed", "eds", "eq", "fig", "figs"),
    *("gen", "gov", "inc", "jr", "ltd", "mr", "mrs", "ms", "mt", "prof", "ref", "refs", "rep"),
    *("sen", "sr", "st", "vol", "vs"),
)

_BEFORE = "".join(rf"(?<!\b{word}\.)" for word in ("\\w", *ABBREVIATIONS))
LAST_PERIOD = rf"\.(?=[{CLOSERS}]*+(?:\s|\Z))(?:(?<!\d\.){_BEFORE}|(?=[{CLOSERS}]*+\Z))"
"""A period that ends a sentence, in text without white space at its end."""

_SIGN = "\\]\\[(){}<>;@#$%&?!*«»“”‘’„\u2012-\u2015"

_WORD = re.compile(
    # The common run of ordinary characters first; what else may be inside a word one by one.
    rf"""(?:[^\s{_SIGN}"`.,:'-]++|-(?!-)|'(?!')|[,:](?=\d)|(?!{LAST_PERIOD})\.(?!\.))++"""
    rf"""|{LAST_PERIOD}|\.+|--|''|`+|[{_SIGN},:]"""
)

_OPENING = re.compile(r"""(?:\A|(?<=[ (\[{<]))(?:"|'')""")

_PARTED = re.compile(
    r"\b(can(?=not)|d(?='ye)|gim(?=me)|gon(?=na)|got(?=ta)|lem(?=me)|more(?='n)|wan(?=na))"
    r"(not|'ye|me|na|ta|'n)\b"
)
_QUOTING = re.compile(r"(?<!\w)'(?!(?:re|ve|ll|m|t|s|d|n)\b)(?=\w)")
_ENDINGS = tuple(
    re.compile(rf"(?s)(.*[^'])({ending})")
    for ending in ("'", "'s|'m|'d", "'ll|'re|'ve|n't")  # at most one of each, from the end
)


def words(text: str) -> list[str]:
    """The words of a text in order, in lower case."""
    text = _PARTED.sub(r"\1 \2 ", text.lower()).strip()
    if '"' in text or "''" in text:
        text = _OPENING.sub("``", text).replace('"', "''")
    found: list[str] = []
    for word in _WORD.findall(text):
        if "'" in word and word != "''":
            found.extend(_apart(word))
        else:
            found.append(word)
    return found


def _apart(word: str) -> list[str]:
    """A word with apostrophes: quoting ones before it, and contractions and quotes at its end."""
    *begin, word = _QUOTING.sub("' ", word).split(" ")
    end: list[str] = []
    for ending in _ENDINGS:
        if match := ending.fullmatch(word):
            word = match[1]
            end.append(match[2])
    return [*begin, word, *reversed(end)]
