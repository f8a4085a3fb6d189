"""Turns the answers of a model into texts to search.

Small models repeat the question, copy the example of the prompt, number their lines, and write
headings. Such lines would be searched as queries of their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from ..refusals import refuses
from ..safety import harmless

LONGEST_QUERY = 300
"""Maximum number of characters of a query. A longer one is cut after a word."""

LONGEST_PASSAGE = 20_000
"""Maximum number of characters of a passage. A longer one is cut after a word."""

COPIED = 0.8
"""Share of a text's content words in an example from which the text counts as its copy."""

_LABEL = (
    r"(?:passage|query|question|sub-?question|rewrite|rewritten query|answer|standalone question"
    r"|general question)"
)
_BEGIN = re.compile(
    rf"^[\s\"'“”‘’`*_>#]{{0,20}}(?:(?:[-•–·]|\(?\d{{1,3}}[.):]|\(?[a-z][.)])\s{{1,20}}"
    rf"|{_LABEL}\s?\d{{0,3}}\s?[:：])?[\s\"'“”‘’`*_]{{0,20}}",
    re.IGNORECASE,
)
"""What stands before the text of a line: a number, a bullet, a label, quotation marks."""

_END = "\"'“”‘’`*_ \t"
"""Characters after the text of a line that are not part of it."""

Terms = Callable[[str], Mapping[str, int]]
"""Function that returns the content words of a text, such as `LexicalEncoder.count`."""


@dataclass(slots=True)
class Cleaned:
    """The texts that are kept for one question, and how many were left out for which reason."""

    texts: list[str] = field(default_factory=list)
    copied: int = 0
    restated: int = 0
    refused: int = 0

    @property
    def warnings(self) -> list[str]:
        reasons = {
            "repeat the example of the prompt": self.copied,
            "only repeat the query": self.restated,
            "refuse to answer": self.refused,
        }
        return [
            f"{number} text{'s' if number > 1 else ''} of the model left out, because "
            f"{'they' if number > 1 else 'it'} {_verb(reason, number)}"
            for reason, number in reasons.items()
            if number
        ]


def _verb(reason: str, number: int) -> str:
    if number > 1:
        return reason
    return re.sub(r"\b(repeat|refuse)\b", r"\1s", reason)


class Cleaner:
    """Keeps the texts of a model that say something new.

    terms:   returns the content words of a text.
    example: texts of the prompt's examples. A text that copies one of them is left out.
    """

    def __init__(self, terms: Terms, example: Sequence[str] = ()) -> None:
        self._terms = terms
        self._example = [self._words(text) for text in example]

    def queries(
        self, question: str, answers: Sequence[str], most: int, turns: Sequence[str] = ()
    ) -> Cleaned:
        """Return up to `most` queries from answers. Each line of an answer is one query.

        turns: earlier turns of the conversation. Words that occur in them do not count as copied
            from the prompt's examples.

        A query with the same content words as the question or an earlier query is left out.
        """
        lines = (line for answer in answers for line in lines_of(answer))
        return self._kept((question, *turns), lines, most, LONGEST_QUERY, subset=False)

    def passages(self, question: str, answers: Sequence[str]) -> Cleaned:
        """Return the passages; each answer is one passage.

        A passage whose content words all occur in the question is left out.
        """
        whole = (_line(" ".join(answer.split())) for answer in answers)
        return self._kept((question,), whole, len(answers), LONGEST_PASSAGE, subset=True)

    def _kept(
        self,
        asked_texts: Sequence[str],
        texts: Iterator[str],
        most: int,
        longest: int,
        *,
        subset: bool,
    ) -> Cleaned:
        """Return the texts to search.

        asked_texts: the question, then earlier turns.
        most:        maximum number of texts.
        longest:     maximum characters of a text.
        subset:      leave out a text whose words all occur in the question.
        """
        found = Cleaned()
        asked = self._words(asked_texts[0])
        said = frozenset[str]().union(*map(self._words, asked_texts))
        known = [asked]
        for text in texts:
            text = capped(harmless(text), longest)
            words = self._words(text)
            if not words:
                continue
            if refuses(text):
                found.refused += 1
            elif self._copies(words, said):
                found.copied += 1
            elif words == asked or (subset and words <= asked):
                found.restated += 1
            elif words not in known and len(found.texts) < most:
                known.append(words)
                found.texts.append(text)
        return found

    def _words(self, text: str) -> AbstractSet[str]:
        return frozenset(self._terms(text))

    def _copies(self, words: AbstractSet[str], said: AbstractSet[str]) -> bool:
        """Return True if a text copies an example of the prompt.

        words: content words of the text.
        said:  words of the question and the turns, which do not count as copied.

        A text copies an example if nearly all of its words are in the example, or if it contains
        nearly all words of the example.
        """
        new = words - said
        if 2 * len(new) < len(words):
            return False
        for example in self._example:
            if _covers(example, new) and _covers(example, words):
                return True
            if len(example - said) > 2 and _covers(new, example - said):
                return True
        return False


def _covers(all_words: AbstractSet[str], words: AbstractSet[str]) -> bool:
    """Return True if nearly all of `words` are in `all_words`; False if `words` is empty."""
    return bool(words) and len(words & all_words) >= COPIED * len(words)


def lines_of(answer: str) -> Iterator[str]:
    """Yield the lines of an answer without numbers, bullets, labels and quotation marks.

    Skips blank lines, headings (which end with a colon) and code fences.
    """
    for line in answer.splitlines():
        text = _line(line)
        if text and not text.endswith((":", "：")) and not line.lstrip().startswith("```"):
            yield text


def capped(text: str, longest: int) -> str:
    """Return at most the first `longest` characters of a text, cut after a word if possible."""
    if len(text) <= longest:
        return text
    head = text[: longest + 1]
    return (head.rpartition(" ")[0] or head[:longest]).rstrip()


def _line(line: str) -> str:
    begin = _BEGIN.match(line)
    assert begin is not None, "the pattern matches an empty text"
    rest = line[begin.end() :].rstrip()
    text = rest.rstrip(_END)
    if text.count('"') % 2 == 0:
        return text
    return f'{text}"' if rest.endswith('"') else text.replace('"', "")
