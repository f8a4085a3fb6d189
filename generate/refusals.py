"""Recognises a text that refuses to answer, while the text arrives in pieces.

A refusal consists of sentences that say that there is no answer, such as "The sources do not
mention this.", and of courtesies, such as "Sorry." A text with any other sentence is an answer.

A sentence is compared with `_REFUSAL`, a pattern of words that is read as a finite automaton. So
the time is linear, and the automaton also knows whether the start of a sentence may still become a
refusal. In patterns, `(a|b)` is a choice, `[a]` may be absent, and `...` stands for up to
`TAIL` words. Words of contrast, such as "but", are not among them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

LONGEST = 2_000
"""Maximum number of characters of a refusal."""

TAIL = 30
"""Maximum number of words that `...` stands for."""

_CONTRASTS = frozenset(
    ("but", "however", "although", "though", "yet", "whereas", "while", "except")
)
_TOKEN = re.compile(r"([^\W_]+(?:['’-][^\W_]+)*)|[.!?。？！]+")
_PATTERN_TOKEN = re.compile(r"[()|\[\]]|\.\.\.|[^\s()|\[\]]+")

_SOURCES = (
    "[the|these|this|those|your|my] [provided|given|available|retrieved|supplied|search] "
    "(source|sources|document|documents|passage|passages|context|text|texts|excerpt|excerpts|"
    "article|articles|material|materials|background|results) [provided|given|above]"
)
_OWN = "(information|details|data|context|evidence|answer|answers|mention|reference)"
_NEVER = "(do not|does not|did not|can not|could not|cannot|don't|doesn't|didn't|can't|couldn't)"
_IS_NOT = "(is not|isn't|was not|wasn't|are not|aren't|cannot be|can not be|can't be|could not be)"
_HOW = "[explicitly|directly|specifically|clearly|actually]"
_SAY = (
    "(contain|provide|answer|mention|include|say|state|give|specify|address|discuss|indicate|"
    "describe|cover|explain|tell|reveal|have|offer|list)"
)
_SAYS = (
    "(contains|provides|answers|mentions|includes|says|states|gives|specifies|addresses|discusses|"
    "indicates|describes|covers|explains|tells|reveals|has|offers|lists)"
)
_STATED = (
    "(stated|mentioned|specified|said|given|provided|described|discussed|addressed|contained|found|"
    "available|included|present|answered|determined|listed)"
)
_ASKED = "(who|what|when|where|why|how|which|if|whether) ..."
_IN = f"(in|by|from|with|on) {_SOURCES} ..."
_THIS = "(this|that|it|the answer|the question|this question|that question)"
_THING = (
    f"(answer|find|determine|provide|say|tell|locate|give|identify) [{_THIS}|{_THIS} {_IN}|{_IN}|"
    f"based on ...|(the|an|any|a|enough|sufficient|your) [specific|relevant] "
    f"(question|{_OWN}) ...|{_ASKED}]"
)
_UNABLE = "(am unable to|are unable to|am not able to|are not able to|was unable to)"

_LEAD = (
    "(unfortunately|sorry|but|so|thus|therefore|hence|however|answer|apologies|"
    "(i am|i'm|we are|we're) [very|so] (sorry|afraid) [that]|(i|we) (apologize|apologise)|"
    f"(based on|according to|from|in|given|with) {_SOURCES})"
)
_CORE = (
    f"({_SOURCES} {_NEVER} {_HOW} {_SAY} ...|"
    f"{_SOURCES} (have|has|contain|contains|provide|provides|include|includes|give|gives|make|"
    f"makes|offer|offers) no [specific|relevant] {_OWN} ...|"
    f"(none|neither|nothing) (of|in) {_SOURCES} {_HOW} ({_SAY}|{_SAYS}) ...|"
    f"no (source|sources|document|documents|passage|passages) {_HOW} ({_SAY}|{_SAYS}) ...|"
    f"(the|this|that|an) (answer|information) {_IS_NOT} {_HOW} "
    f"(in {_SOURCES} ...|{_STATED} [{_IN}])|"
    f"(the|this|that|your) question {_IS_NOT} {_HOW} answered [{_IN}|based on ...]|"
    f"(it|this|that) {_IS_NOT} {_HOW} {_STATED} [{_IN}]|"
    f"(it|this|that) (is not possible|is impossible) to (say|tell|determine|answer) ... {_IN}|"
    f"(i|we) (do not|don't) know [{_THIS}|{_THIS} {_IN}|{_ASKED}|{_IN}|based on ...]|"
    f"(i|we) ({_NEVER}|{_UNABLE}) {_HOW} {_THING}|"
    f"(i|we) (can't|cannot|can not) answer ...|"
    f"(i|we) ({_NEVER} have|have|have found|found|find|see) (no|any|not enough|enough|sufficient) "
    f"[specific|relevant] {_OWN} ...|"
    f"(there is|there's|there was|there are) (no|not any|not enough|insufficient|not sufficient) "
    f"[specific|relevant|clear] (information|details|data|context|answer) ...|"
    f"(there is|there's) no (mention|reference|evidence) [of|to|for] [{_THIS}] [... {_IN}]|"
    f"(not enough|insufficient) [relevant] {_OWN} ...|"
    f"no [relevant|specific] (information|details|data|mention) "
    f"[(on|about) ...|{_IN}|(is|was) (available|provided|given|found) [{_IN}]]|"
    f"no answer [{_IN}|to {_THIS} [{_IN}]|(is|was|can be|could be) "
    f"(given|found|available|provided|possible) [{_IN}]]|"
    f"[answer] not {_STATED} [{_IN}]|unknown|unanswerable)"
)
_REFUSAL = f"[{_LEAD}] [{_LEAD}] [{_LEAD}] {_CORE}"
_COURTESY = f"{_LEAD} [{_LEAD}]"
_AFTER = (
    f"(please ...|if you ...|let me know ...|you (may|can|could) ...|"
    f"(more|additional|further) information ...|(they|it|{_SOURCES}) (only|merely|just) ...)"
)
"""What may follow a refusal and adds no fact that was asked for."""


class _Automaton:
    """A nondeterministic automaton of words, made of patterns. See the module.

    edges: state -> (words, next state) of each edge; no words: any word that begins no contrast.
    empty: state -> states that are reached without a word.
    """

    def __init__(self, pattern: str) -> None:
        self._edges: list[list[tuple[frozenset[str] | None, int]]] = []
        self._empty: list[list[int]] = []
        tokens = _PATTERN_TOKEN.findall(f"({pattern})")
        start, self._end = self._state(), self._state()
        assert self._choice(tokens, 1, start, self._end) == len(tokens), "brackets are balanced"
        self.start = self._closed([start])

    def step(self, states: frozenset[int], word: str, *, whole: bool) -> frozenset[int]:
        """Return the states after a word. whole: False if more letters of the word may follow."""
        found = []
        for state in states:
            for words, target in self._edges[state]:
                if words is None:
                    fits = word not in _CONTRASTS or not whole
                elif whole:
                    fits = word in words
                else:
                    fits = any(one.startswith(word) for one in words)
                if fits:
                    found.append(target)
        return self._closed(found)

    def ended(self, states: frozenset[int]) -> bool:
        """Return True if the words so far match the pattern."""
        return self._end in states

    def _state(self) -> int:
        self._edges.append([])
        self._empty.append([])
        return len(self._edges) - 1

    def _closed(self, states: Iterable[int]) -> frozenset[int]:
        found, left = set(states), list(states)
        while left:
            for target in self._empty[left.pop()]:
                if target not in found:
                    found.add(target)
                    left.append(target)
        return frozenset(found)

    def _choice(self, tokens: list[str], at: int, start: int, end: int) -> int:
        """Add the alternatives up to the closing bracket. Return the position behind it."""
        last = self._fresh(start)
        while True:
            token = tokens[at]
            at += 1
            if token in ("|", ")", "]"):
                self._empty[last].append(end)
                if token != "|":
                    return at
                last = self._fresh(start)
            elif token in ("(", "["):
                after = self._state()
                if token == "[":
                    self._empty[last].append(after)
                at = self._choice(tokens, at, last, after)
                last = after
            elif token == "...":
                after = self._state()
                for _ in range(TAIL):
                    self._empty[last].append(after)
                    following = self._state()
                    self._edges[last].append((None, following))
                    last = following
                self._empty[last].append(after)
                last = after
            else:
                after = self._state()
                self._edges[last].append((frozenset([token]), after))
                last = after

    def _fresh(self, start: int) -> int:
        state = self._state()
        self._empty[start].append(state)
        return state


@lru_cache(maxsize=1)
def _automata() -> tuple[_Automaton, _Automaton, _Automaton]:
    return _Automaton(_REFUSAL), _Automaton(_COURTESY), _Automaton(_AFTER)


def refuses(text: str) -> bool:
    """Return True if a whole text is a refusal to answer."""
    return _read(text)[0]


def may_refuse(text: str) -> bool:
    """Return True while the start of a text is a refusal or may become one."""
    return _read(text)[1]


def _read(text: str) -> tuple[bool, bool]:
    """Return whether a text is a refusal, and whether it may become one with more text."""
    if len(text) > LONGEST:
        return False, False
    automata = refusal, courtesy, after = _automata()
    begun = [one.start for one in automata]
    states, refused, open_ = begun, False, False
    for word, whole in _words(text):
        if word:
            before = states
            states = [
                one.step(s, word, whole=whole) for one, s in zip(automata, before, strict=True)
            ]
            if not whole:  # The last word: complete, or the start of a longer word.
                ends = [
                    one.step(s, word, whole=True) for one, s in zip(automata, before, strict=True)
                ]
                may = bool(states[0] or states[1] or (refused and states[2]))
                says = refusal.ended(ends[0])
                polite = courtesy.ended(ends[1]) or after.ended(ends[2])
                return says or (refused and polite), may
            open_ = True
            if not (states[0] or states[1] or (refused and states[2])):
                return False, False
        elif open_:
            if refusal.ended(states[0]):
                refused = True
            elif not (courtesy.ended(states[1]) or (refused and after.ended(states[2]))):
                return False, False
            states, open_ = begun, False
    if not open_:
        return refused, True
    polite = courtesy.ended(states[1]) or after.ended(states[2])
    return refusal.ended(states[0]) or (refused and polite), True


def _words(text: str) -> Iterator[tuple[str, bool]]:
    """Yield each word, and whether it is complete; "" for the end of a sentence."""
    for match in _TOKEN.finditer(text):
        rest = text[match.end() : match.end() + 2]
        whole = rest not in ("", "'", "’", "-")
        yield (match[1] or "").lower().replace("’", "'"), whole
