"""Hold a conversation about the documents of a collection.

Each line of standard input is a question. The earlier questions and answers are sent with it. In a
terminal, lines can be edited, Ctrl-C stops an answer, and Ctrl-D ends the conversation. Otherwise,
the first failure ends the command.

Lines that begin with a slash are commands: /new begins a new conversation, /sources shows what was
read for the last answer, /help lists the commands, /quit ends.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from .....core import InvalidInputError, TwindexError
from .....core.display import one_line
from .....core.unicode import is_unicode
from ....answered import unsent_turns
from ....figures import counted
from ...arguments.asking import add_asking, asked_options, errors_name_answer_options
from ...conversation import Conversation
from ...failing import models_run
from ...reports.written_answer import print_answer, print_citations, print_context
from ...terminal import note

if TYPE_CHECKING:
    from ...arguments.asking import AskedOptions

EXAMPLE = "twindex chat my-index --generators generators.toml"
PROMPT = "> "
_COMMANDS = {
    "/new": "begin a new conversation, without the earlier turns",
    "/sources": "show what was read for the last answer",
    "/help": "list the commands",
    "/quit": "end (Ctrl-D too)",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_asking(parser)


def run(arguments: argparse.Namespace) -> int:
    with errors_name_answer_options(arguments):
        asked = asked_options(arguments)
        Conversation.check(asked.fields)
        with asked.open(arguments) as collection:
            loading = asked.load()
            chat = _Chat(Conversation(collection, asked.fields), asked, arguments, loading)
            reconfigure = getattr(sys.stdin, "reconfigure", None)
            if reconfigure is not None:  # `read` refuses what is not UTF-8.
                reconfigure(errors="surrogateescape")
            if sys.stdin.isatty():
                documents = counted(collection.count(), "document")
                note(f"{documents}, generator {asked.generator.name}; /help lists the commands")
                chat.hold()
            else:
                with models_run():
                    for line in sys.stdin:
                        if line.strip():
                            print(f"{PROMPT}{one_line(line, 500)}", flush=True)
                        if not chat.read(line):
                            break
    return 0


class _Chat:
    """Reads questions and commands, and prints answers.

    loading: seconds that models took to load.
    """

    def __init__(
        self,
        conversation: Conversation,
        asked: AskedOptions,
        arguments: argparse.Namespace,
        loading: float,
    ) -> None:
        self._conversation = conversation
        self._asked = asked
        self._explain: bool = arguments.explain
        self._arguments = arguments
        self._loading = loading

    def hold(self) -> None:
        """Read lines from a terminal until the user ends the conversation."""
        for line in _typed():
            try:
                with errors_name_answer_options(self._arguments):
                    if not self.read(line):
                        return
            except KeyboardInterrupt:
                note("stopped; the question is not part of the conversation")
            except TwindexError as error:
                note(f"error: {error}")

    def read(self, line: str) -> bool:
        """Answer a question, or run a command. Return False if the conversation ends."""
        if not is_unicode(line):
            encoding = getattr(sys.stdin, "encoding", None) or "UTF-8"
            raise InvalidInputError(
                f"the line is not {encoding.upper()}; encode the question as UTF-8, or set "
                "PYTHONIOENCODING to its encoding"
            )
        line = line.strip()
        if line.startswith("/"):
            return self._command(line)
        if line:
            dropped = len(self._conversation.turns)
            events = self._conversation.ask(line)
            dropped -= len(self._conversation.turns)
            if dropped > 0:
                note(unsent_turns(dropped))
            answer = print_answer(
                events,
                reranker=self._asked.reranker,
                explain=self._explain,
                loading=self._loading,
            )
            self._conversation.add(line, answer)
            self._loading = 0.0
            print(flush=True)
        return True

    def _command(self, line: str) -> bool:
        answer = self._conversation.answer
        if line == "/quit":
            return False
        if line == "/new":
            self._conversation.clear()
            note("a new conversation")
        elif line == "/sources":
            if answer is None:
                note("there is no answer yet")
            else:
                print_citations(answer)
                print_context(answer)
                print(flush=True)
        elif line == "/help":
            for name, text in _COMMANDS.items():
                print(f"{name:10}{text}")
            print("Ctrl-C stops an answer. Every other line is a question.", flush=True)
        else:
            raise InvalidInputError(
                f"{one_line(line, 40)!r} is not a command; commands are {', '.join(_COMMANDS)}"
            )
        return True


def _typed() -> Iterator[str]:
    """Yield the lines that the user types, until Ctrl-D. Ctrl-C discards a line."""
    with suppress(ImportError):
        import readline  # noqa: F401 - `input` then edits lines and remembers them
    while True:
        try:
            yield input(PROMPT)
        except EOFError:
            print()
            return
        except KeyboardInterrupt:
            note("\n(Ctrl-D or /quit ends)")
