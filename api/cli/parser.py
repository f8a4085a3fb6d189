"""The argument parser of every command, which sets the format of errors and help."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
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
        """Parse the arguments. Print an error of this command and exit for unknown arguments."""
        parsed, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return parsed, unknown

    def error(self, message: str) -> NoReturn:
        self.exit(MISUSE, f"twindex: error: {message}\nSee: {self.prog} --help\n")


def fill(parser: argparse.ArgumentParser, module: Any) -> None:
    """Set the description, example and arguments of a parser from a command's module."""
    parser.description = module.__doc__
    parser.epilog = f"example:\n  {module.EXAMPLE}"
    module.add_arguments(parser)
