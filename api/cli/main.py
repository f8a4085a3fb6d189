"""Entry point of the command line `twindex`: parses arguments and runs one command."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from ... import __version__
from .commands import COMMANDS, load
from .parser import MISUSE, Parser, fill

FAILURE, INTERRUPTED, BROKEN_PIPE = 1, 130, 141

PATIENCE = 0.3
"""Seconds that an interrupted command waits for the call of a model to end."""

DESCRIPTION = "Dense, learned-sparse and lexical retrieval in one durable index."
EPILOG = """\
exit status: 0 success, 1 damaged data or another failure, 2 wrong arguments or input

example:
  twindex build my-index --documents corpus.jsonl
  twindex search my-index "what is a hybrid index"

`twindex COMMAND --help` describes a command. TWINDEX_DEBUG=1 shows tracebacks."""


def parser(chosen: str | None = None) -> argparse.ArgumentParser:
    """Return the parser with every command.

    chosen: the only command whose arguments are added; None: the arguments of all commands.
    """
    top = Parser(prog="twindex", description=DESCRIPTION, epilog=EPILOG)
    top.add_argument("--version", action="version", version=f"twindex {__version__}")
    commands = top.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    for name, summary in COMMANDS.items():
        sub = commands.add_parser(name, help=summary)
        if chosen in (None, name):
            fill(sub, module := load(name))
            sub.set_defaults(run=module.run)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    Wrong arguments raise SystemExit, as in argparse.
    """
    try:
        return _main(argv)
    except KeyboardInterrupt:  # Also raised while modules are imported.
        status = _fail("interrupted", INTERRUPTED)
        if argv is None:
            _leave_model(status)
        return status


def _main(argv: Sequence[str] | None) -> int:
    if sys.stdout is None:  # Standard output is closed: discard what is printed.
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - open until the process ends
    given = sys.argv[1:] if argv is None else argv
    command = next((word for word in given if not word.startswith("-")), "")
    arguments = parser(command).parse_args(given)

    import sqlite3  # `twindex --help` needs none of these imports.

    from ...core import StorageError, TwindexError
    from .failing import CommandFailed

    if isinstance(sys.stdout, io.TextIOWrapper):
        # Some terminals cannot show every character.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        _check_text(arguments)
        status: int = arguments.run(arguments)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # The reader closed the pipe. Python must not flush the rest of the buffer at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except (TwindexError, OSError, sqlite3.Error) as error:
        if os.environ.get("TWINDEX_DEBUG") == "1":
            raise
        failures = (StorageError, CommandFailed)
        misuse = isinstance(error, TwindexError) and not isinstance(error, failures)
        return _fail(f"error: {error}", MISUSE if misuse else FAILURE)


def _leave_model(status: int) -> None:
    """End the process if a model still runs, because a model cannot be interrupted."""
    waiting = sys.modules.get("twindex.ask.waiting")
    if waiting is not None and waiting.still_running(PATIENCE):
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(status)


def _check_text(arguments: argparse.Namespace) -> None:
    """Raise InvalidInputError for an argument that is not UTF-8. Paths may contain any bytes."""
    from ...core import InvalidInputError

    for name, value in vars(arguments).items():
        for text in _texts(value):
            if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
                raise InvalidInputError("is not UTF-8; encode the argument as UTF-8", field=name)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _texts([*value, *value.values()])
    elif isinstance(value, Iterable):
        for item in value:
            yield from _texts(item)


def _fail(message: str, status: int) -> int:
    print(f"twindex: {message}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
