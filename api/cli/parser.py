"""The argument parser of every command, which sets the format of errors and help."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

MISUSE = 2
"""Exit status for wrong arguments or input."""


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that prints errors in the format of all `twindex` errors."""

    def __init__(self, **options: object) -> None:
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(allow_abbrev=False, **options)  # type: ignore[arg-type]

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse the arguments. For an unknown argument, print an error and exit.

        The error names this command and its help, not those of the parser above.
        """
        parsed, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}{self._hint(parsed, unknown)}")
        return parsed, unknown

    def _hint(self, parsed: argparse.Namespace, unknown: Sequence[str]) -> str:
        """Return the end of the error for unknown arguments, which says what to write instead."""
        for option in unknown:
            if option.startswith("--"):
                return _near(option.partition("=")[0], self._option_string_actions)
        names = [action.dest for action in self._get_positional_actions()]
        if names[-1:] not in (["query"], ["question"]) or any(
            word.startswith("-") for word in unknown
        ):
            return ""
        values = [str(getattr(parsed, name)) for name in names[:-1]]
        text = " ".join([*filter(None, [getattr(parsed, names[-1])]), *unknown])
        command = f"{self.prog} {shlex.join([*values, text])}"
        return f"; put quotes around a {names[-1]} of several words: {command}"

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Raise ArgumentError, which suggests a similar value, if `value` is not a choice."""
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            error.message += _near(str(value), map(str, action.choices or ()))
            raise

    def error(self, message: str) -> NoReturn:
        self.exit(MISUSE, f"twindex: error: {message}\nSee: {self.prog} --help\n")


def _near(name: str, known: Iterable[str]) -> str:
    from ...core.near import did_you_mean  # Slow, and only errors need it.

    return did_you_mean(name, known)


def fill(parser: argparse.ArgumentParser, module: Any) -> None:
    """Set the description, example and arguments of a parser from a command's module."""
    parser.description = module.__doc__
    parser.epilog = f"example:\n  {module.EXAMPLE}"
    module.add_arguments(parser)


def add_modules(
    parser: argparse.ArgumentParser, modules: Mapping[str, Any], *, metavar: str, dest: str
) -> None:
    """Add a required choice of modules to a command, each with arguments of its own.

    modules: name on the command line -> module with the members of a command's module.
    dest:    attribute of the parsed arguments that gets the name.
    """
    choices = parser.add_subparsers(
        metavar=metavar, required=True, dest=dest, parser_class=type(parser)
    )
    for name, module in modules.items():
        summary = (module.__doc__ or "").partition("\n")[0].rstrip(".")
        fill(choices.add_parser(name, help=summary[0].lower() + summary[1:]), module)
