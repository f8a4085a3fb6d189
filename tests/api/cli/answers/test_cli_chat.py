"""`twindex chat`: turns, commands, lines from a file, and a terminal."""

from __future__ import annotations

import io
import os
import pty
import re
import select
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from twindex.api.cli.conversation import Conversation
from twindex.core import InvalidInputError
from twindex.generate import WritingGenerator
from twindex.generate.fake import FakeGeneratorConfig, FakeWriter
from twindex.search import Collection, GeneratorRegistry

QUESTION = "Which birds cannot fly?"


@pytest.fixture
def chat(birds: Path, generators: str, run: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    def call(text: str | bytes, *options: str, generator: str = "plain") -> Any:
        raw = io.BytesIO(text if isinstance(text, bytes) else text.encode())
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(raw, encoding="utf-8"))
        named = ["--generators", generators, "--generator", generator]
        return run("chat", str(birds), *named, *options)

    return call


class _Recording(FakeWriter):
    """A writer that remembers the turns of each task."""

    def __init__(self) -> None:
        super().__init__(FakeGeneratorConfig(text="Fine. [1]"))
        self.turns: list[list[tuple[str, str]]] = []

    def write(self, task: Any, sources: Any, max_tokens: int) -> Iterator[Any]:
        self.turns.append([(turn.role, turn.content) for turn in task.turns])
        return super().write(task, sources, max_tokens)


@pytest.fixture
def recording() -> _Recording:
    return _Recording()


@pytest.fixture
def conversing(birds: Path, recording: _Recording) -> Iterator[Any]:
    from collections import Counter

    generator = WritingGenerator(recording, lambda text: Counter(text.lower().split()))
    registry = GeneratorRegistry({"own": generator})
    with Collection.open(birds, read_only=True, generators=registry) as collection:
        yield lambda **fields: Conversation(collection, {"generator": "own", **fields})


def _answered(conversation: Conversation, question: str) -> None:
    done = [event for event in conversation.ask(question) if event.event == "done"]
    conversation.add(question, done[-1].answer)  # type: ignore[union-attr]


def test_earlier_turns_are_sent(conversing: Any, recording: _Recording) -> None:
    conversation = conversing()
    for question in ("kiwi one", "kiwi two"):
        _answered(conversation, question)
    assert recording.turns == [[], [("user", "kiwi one"), ("assistant", "Fine. [1]")]]
    conversation.clear()
    _answered(conversation, "kiwi three")
    assert recording.turns[-1] == []


def test_the_oldest_turns_make_room_for_sources(conversing: Any, recording: _Recording) -> None:
    conversation = conversing(context={"tokens": 40}, max_tokens=10)
    for number in range(8):
        _answered(conversation, f"kiwi question number {number}")
    last = recording.turns[-1]
    assert last[-2:] == [("user", "kiwi question number 6"), ("assistant", "Fine. [1]")]
    assert 0 < len(last) < 14
    assert len(last) % 2 == 0
    assert conversation.answer is not None
    assert conversation.answer.sources


def test_a_question_that_never_fits_is_refused(conversing: Any) -> None:
    conversation = conversing(context={"tokens": 16})
    with pytest.raises(InvalidInputError, match="need"):
        list(conversation.ask("kiwi " * 40))


def test_an_unfinished_answer_leaves_no_turn(conversing: Any) -> None:
    conversation = conversing()
    events = conversation.ask("kiwi")
    next(events)
    events.close()
    assert conversation.turns == []


def test_lines_of_a_file_are_questions(chat: Any) -> None:
    done = chat(f"{QUESTION}\n\nWhere does it live?\n/sources\n/new\n/help\n/quit\nnever read\n")
    assert done.status == 0, done.err
    assert done.out.startswith(f"> {QUESTION}\n")
    assert done.out.count("[1] ") >= 3
    assert "sent, " in done.out
    assert "/sources" in done.out
    assert "a new conversation" in done.err
    assert "never read" not in done.out


def test_a_conversation_can_have_a_background(chat: Any) -> None:
    done = chat(f"{QUESTION}\n/sources\n", "--background", "facts", generator="wrong")
    assert (done.status, "not a source: Kiwis have 7 hats." in done.out) == (0, True), done.err


def test_failures_have_the_status_of_ask(chat: Any) -> None:
    failed = chat(f"{QUESTION}\nnever read\n", generator="failing")
    assert (failed.status, "never read" in failed.out) == (1, False)
    assert chat("/sorces\n").status == 2
    wrong = chat("x\n", "--limit", "0")
    assert (wrong.status, wrong.err.startswith("twindex: error: --limit: ")) == (2, True)
    bytes_ = chat(b"Kiwi\xff?\n")
    assert (bytes_.status, bytes_.err.count("\n")) == (2, 1)
    assert "error: the line is not UTF-8; encode the question as UTF-8" in bytes_.err


class _Terminal:
    """A terminal in which a command runs."""

    def __init__(self, twindex: Any, *argv: str) -> None:
        self.master, slave = pty.openpty()
        # A session of its own, whose controlling terminal is the pty: Ctrl-C then is a signal.
        env = {**os.environ, "TERM": "dumb"}
        wrap = ["setsid", "-c", "-w"]
        self.process = twindex(*argv, stdin=slave, stdout=slave, stderr=slave, env=env, before=wrap)
        os.close(slave)
        self.seen = ""

    def write(self, text: str) -> None:
        os.write(self.master, text.encode())

    def until(self, pattern: str, seconds: float = 90) -> str:
        """Read until a pattern occurs. Return the text up to its end."""
        limit = time.monotonic() + seconds
        while (match := re.search(pattern, self.seen)) is None:
            left = limit - time.monotonic()
            assert left > 0, self.seen
            if select.select([self.master], [], [], left)[0]:
                try:
                    piece = os.read(self.master, 65_536)
                except OSError:  # The process has closed the terminal.
                    piece = b""
                assert piece, f"ended before {pattern}: {self.seen}"
                self.seen += piece.decode().replace("\r", "")
        found, self.seen = self.seen[: match.end()], self.seen[match.end() :]
        return found


def test_a_terminal(birds: Path, generators: str, twindex: Any) -> None:
    options = ["--generators", generators, "--generator", "slow"]
    terminal = _Terminal(twindex, "chat", str(birds), *options)
    try:
        assert "12 documents, generator slow" in terminal.until("> ")
        terminal.write("Where does the kiwi live?\n")
        assert "The kiwi cannot fly. [1]" in terminal.until(r'\[1\] kiwi  Kiwi\n    "')
        terminal.until("\n\n> ")
        terminal.write("/what\n")
        terminal.until("error: '/what' is not a command")
        terminal.until("> ")
        terminal.write("Which bird can run?\n")
        terminal.until("The emu ")
        terminal.write("\x03")
        began = time.monotonic()
        terminal.until("stopped; the question is not part of the conversation\n> ")
        assert time.monotonic() - began < 4
        terminal.write("\x04")
        assert terminal.process.wait(60) == 0
    finally:
        terminal.process.kill()
        os.close(terminal.master)
