"""Words of a text as NLTK's `word_tokenize` returns them, without NLTK and its downloads.

PromptReps takes the terms of a text from these words, so its results depend on these rules:

1. Each of these signs is a separate word: brackets, quotes, `; @ # $ % & ? ! *`, dashes (`--` and
   long ones) and runs of periods. A comma or colon is a separate word too, unless a digit follows.
   Hyphens, slashes and single periods inside a word stay ("state-of-the-art", "e.g", "3.14").
2. A period that ends a sentence is a separate word. A period before white space ends a sentence;
   closing quotes and brackets may come between. A period of an abbreviation, an initial or a number
   does not end a sentence. The last period of a text always ends a sentence. NLTK finds sentences
   with a trained model (Kiss and Strunk 2006), which knows other abbreviations. In lower-case text
   its results are nearly the same.
3. An opening double quote is written ``, a closing one ''.
4. Contractions are split: "do" "n't", "it" "'s", "can" "not", "gon" "na".
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
"""Pattern of a period that ends a sentence. The text must not end with white space."""

_SIGN = "\\]\\[(){}<>;@#$%&?!*«»“”‘’„\u2012-\u2015"

_WORD = re.compile(
    # A run of ordinary characters is the common case. Other characters inside a word match singly.
    rf"""(?:[^\s{_SIGN}"`.,:'-]++|-(?!-)|'(?!')|[,:](?=\d)|(?!{LAST_PERIOD})\.(?!\.))++"""
    rf"""|{LAST_PERIOD}|\.+|--|''|`+|[{_SIGN},:]"""
)

_OPENING = re.compile(r"""(?:\A|(?<=[ (\[{<]))(?:"|'')""")

_SPLIT = re.compile(
    r"\b(can(?=not)|d(?='ye)|gim(?=me)|gon(?=na)|got(?=ta)|lem(?=me)|more(?='n)|wan(?=na))"
    r"(not|'ye|me|na|ta|'n)\b"
)
_QUOTING = re.compile(r"(?<!\w)'(?!(?:re|ve|ll|m|t|s|d|n)\b)(?=\w)")
_ENDINGS = tuple(
    re.compile(rf"(?s)(.*[^'])({ending})")
    for ending in ("'", "'s|'m|'d", "'ll|'re|'ve|n't")  # At most one of each, from the end.
)


def words(text: str) -> list[str]:
    """Return the words of a text in order, in lower case."""
    text = _SPLIT.sub(r"\1 \2 ", text.lower()).strip()
    if '"' in text or "''" in text:
        text = _OPENING.sub("``", text).replace('"', "''")
    found: list[str] = []
    for word in _WORD.findall(text):
        if "'" in word and word != "''":
            found.extend(_split_apostrophes(word))
        else:
            found.append(word)
    return found


def _split_apostrophes(word: str) -> list[str]:
    """Return the parts of a word, split at single quotes around it and in contractions."""
    *begin, word = _QUOTING.sub("' ", word).split(" ")
    end: list[str] = []
    for ending in _ENDINGS:
        if match := ending.fullmatch(word):
            word = match[1]
            end.append(match[2])
    return [*begin, word, *reversed(end)]
