"""Every regular expression of the product takes linear time on every text.

Patterns are found in the source: constants of modules, results of functions, and arguments of calls
such as `re.split`. Each pattern runs, as in its module, on adversarial texts: the start of a match,
one piece repeated thousands of times, and an end that does not match.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import itertools
import re
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ..house import HOUSE, ROOMS

METHODS = ("match", "fullmatch", "search", "findall", "finditer", "sub", "split")

SIZES = (22, 400, 8_000)
"""Numbers of pieces, to find patterns with exponential, cubic and quadratic time."""
QUICK = {22: 0.01, 400: 0.02, 8_000: 0.05}
"""Number of pieces -> CPU seconds that are acceptable without a further check.

Linear patterns take a tenth of it, quadratic patterns five times as long."""
GROWTH = 3.0
"""Maximum factor of the time for a text of twice the length. 2 is linear, 4 is quadratic."""
FILLERS = (" ", "a", "A", "1", ".", "-", "\n", "\t", "é", "<")


class Use(NamedTuple):
    place: str
    pattern: re.Pattern[Any]
    method: str


@cache
def uses(room: str) -> list[Use]:
    """Return the uses of patterns in the files of a room."""
    found: set[Use] = set()
    for file in sorted((HOUSE / room).rglob("*.py")):
        text = file.read_text()
        if "re." in text:
            tree = ast.parse(text)
            if any(_calls_re(node) for node in ast.walk(tree)):
                found.update(_uses_in(file, tree))
    return sorted(found, key=lambda use: (use.place, use.method))


def _uses_in(file: Path, tree: ast.Module) -> Iterator[Use]:
    place = file.relative_to(HOUSE).as_posix()
    module = importlib.import_module(
        "twindex." + place.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    )
    makers = [
        getattr(module, node.name)
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and any(_calls_re(inner) == "compile" for inner in ast.walk(node))
    ]
    for maker in makers:
        assert str(inspect.signature(maker).return_annotation).startswith("re.Pattern"), place
        choices = [(True, False) for _ in inspect.signature(maker).parameters]
        for values in itertools.product(*choices):
            given = dict(zip(inspect.signature(maker).parameters, values, strict=True))
            yield Use(f"{place}:{maker.__name__}", maker(**given), "finditer")
    own_text = file.read_text()
    for name, value in vars(module).items():
        for pattern in _patterns(value):
            own = f"^{name}\\b.*=|{name} = " if name.startswith("_") or name.isupper() else "(?!)"
            if re.search(own, own_text, re.MULTILINE):
                source = "".join(other.read_text() for other in file.parent.glob("*.py"))
                used = [one for one in METHODS if re.search(rf"\b{name}\.{one}\(", source)]
                if not used:  # The pattern is used by another name, for example from a tuple.
                    used = [one for one in METHODS if re.search(rf"\b[a-z]+\.{one}\(", own_text)]
                for method in used or METHODS:
                    yield Use(f"{place}:{name}", pattern, method)
    for node in ast.walk(tree):
        method = _calls_re(node)
        if method and method not in ("compile", "escape"):
            assert isinstance(node, ast.Call)
            text = node.args[0]
            if isinstance(text, ast.Name):  # A local constant with the pattern.
                text = _assigned(tree, text.id)
            assert isinstance(text, ast.Constant), f"{place}:{node.lineno}: not a literal pattern"
            flags = re.IGNORECASE if "IGNORECASE" in ast.unparse(node) else 0
            yield Use(f"{place}:{node.lineno}", re.compile(text.value, flags), method)


def _calls_re(node: ast.AST) -> str:
    """Return the name of the function of `re` that the node calls, or ""."""
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "re"
    ):
        return node.func.attr
    return ""


def _assigned(tree: ast.Module, name: str) -> ast.expr:
    values = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name
    ]
    assert len(values) == 1, name
    return values[0]


def _patterns(value: object) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _patterns(item)
    elif isinstance(value, dict):
        yield from _patterns([*value.values()])


def _example(parsed: Any, least: int) -> str:
    """Return a short text that the parsed pattern matches, except for lookarounds.

    Repeated parts occur at least `least` times.
    """
    found = ""
    for code, argument in parsed:
        name = str(code)
        if name == "LITERAL":
            found += chr(argument)
        elif name in ("IN", "NOT_LITERAL", "ANY", "CATEGORY"):
            found += _member(name, argument)
        elif name.endswith("REPEAT"):
            low, high, inner = argument
            found += _example(inner, least) * min(high, max(low, least))
        elif name in ("SUBPATTERN", "ATOMIC_GROUP"):
            found += _example(argument[-1] if name == "SUBPATTERN" else argument, least)
        elif name == "BRANCH":
            found += _example(argument[1][0], least)
    return found


def _member(name: str, argument: Any) -> str:
    """Return a character that a character class matches."""
    one = re.compile(f"(?s:{_source(name, argument)})")
    candidates = itertools.chain("a1 .-,'\"é\n", map(chr, range(0x3000)), "京")
    return next((character for character in candidates if one.match(character)), "")


def _source(name: str, argument: Any) -> str:
    if name == "ANY":
        return "."
    if name == "NOT_LITERAL":
        return f"[^{re.escape(chr(argument))}]"
    items = argument if name == "IN" else [(name, argument)]
    text = ""
    for code, value in items:
        kind = str(code)
        if kind == "NEGATE":
            text = "^"
        elif kind == "LITERAL":
            text += re.escape(chr(value))
        elif kind == "RANGE":
            text += f"{re.escape(chr(value[0]))}-{re.escape(chr(value[1]))}"
        else:
            text += _CATEGORIES[str(value)]
    return f"[{text}]"


_CATEGORIES = {
    "CATEGORY_DIGIT": r"\d",
    "CATEGORY_NOT_DIGIT": r"\D",
    "CATEGORY_SPACE": r"\s",
    "CATEGORY_NOT_SPACE": r"\S",
    "CATEGORY_WORD": r"\w",
    "CATEGORY_NOT_WORD": r"\W",
}


def _pieces(parsed: Any) -> Iterator[str]:
    """Yield a character for each class and literal of the pattern, and examples of its parts."""
    for code, argument in parsed:
        name = str(code)
        if name == "LITERAL":
            yield chr(argument)
        elif name in ("IN", "NOT_LITERAL", "ANY", "CATEGORY"):
            yield _member(name, argument)
        elif name.endswith("REPEAT"):
            yield _example(argument[2], 1)
            yield from _pieces(argument[2])
        elif name in ("SUBPATTERN", "ATOMIC_GROUP"):
            yield from _pieces(argument[-1] if name == "SUBPATTERN" else argument)
        elif name == "BRANCH":
            for branch in argument[1]:
                yield _example(branch, 1)
                yield from _pieces(branch)


def _attacks(pattern: re.Pattern[Any]) -> Iterator[Callable[[int], str]]:
    source = pattern.pattern
    text = source.decode("latin-1") if isinstance(source, bytes) else source
    parsed = re._parser.parse(text, pattern.flags & ~re.UNICODE)  # type: ignore[attr-defined]
    examples = [_example(parsed, least) for least in (0, 1)]
    starts = {example[:cut] for example in examples for cut in range(min(6, len(example)) + 1)}
    pieces = list(dict.fromkeys([*FILLERS, *_pieces(parsed), *examples]))
    for start, piece, end in itertools.product(
        sorted(starts, key=len)[:6], [piece for piece in pieces if piece][:24], ("", "\0")
    ):
        yield lambda n, start=start, piece=piece, end=end: start + piece * n + end


def _seconds(use: Use, text: str) -> float:
    given: Any = (
        text.encode("latin-1", "replace") if use.pattern.pattern.__class__ is bytes else text
    )
    began = time.process_time()
    method = getattr(use.pattern, use.method)
    if use.method == "sub":
        method(given[:0], given)
    elif use.method == "finditer":
        for _ in method(given):
            pass
    else:
        method(given)
    return time.process_time() - began


def slowest(use: Use) -> tuple[str, float] | None:
    """Return a text on which the pattern takes more than linear time, and the growth factor."""
    for attack in _attacks(use.pattern):
        for size in SIZES:
            if _seconds(use, attack(size)) <= QUICK[size]:
                continue
            least = [min(_seconds(use, attack(n)) for _ in range(3)) for n in (size // 2, size)]
            growth = least[1] / max(least[0], 1e-9)
            if least[1] > QUICK[size] and growth > GROWTH:
                return repr(attack(3)), growth
    return None


@pytest.mark.parametrize("room", ROOMS)
def test_patterns_take_linear_time(room: str) -> None:
    assert {use: found for use in uses(room) if (found := slowest(use))} == {}


@pytest.mark.parametrize(
    ("source", "method"),
    [
        pytest.param(r"#{1,6}[ \t]+(.+?)[ \t]*#*[ \t]*", "fullmatch", marks=pytest.mark.slow),
        pytest.param(r"a*a*b", "match", marks=pytest.mark.slow),
        (r"(?:[^\W_]+[.,]?)*!", "search"),
        pytest.param(r"\s+$", "search", marks=pytest.mark.slow),
    ],
)
def test_slow_patterns_are_noticed(source: str, method: str) -> None:
    """These patterns take cubic, quadratic, exponential and quadratic time, so they must fail."""
    assert slowest(Use("control", re.compile(source), method)) is not None


def test_known_patterns_are_found() -> None:
    places = {use.place for room in ROOMS for use in uses(room)}
    assert {"sources/structure.py:_SCANNED", "encoders/lexical/encoder.py:_words"} <= places
    assert len(places) > 35
