"""The parser of every command: its errors, its help."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

MISUSE = 2
"""The exit status of wrong arguments or input."""


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors look like all others of the program."""

    def __init__(self, **options: object) -> None:
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(allow_abbrev=False, **options)  # type: ignore[arg-type]

    def error(self, message: str) -> NoReturn:
        self.exit(MISUSE, f"twindex: error: {message}\nSee: {self.prog} --help\n")


def fill(parser: argparse.ArgumentParser, module: Any) -> None:
    """Give a command's parser the help and the arguments of the command's module."""
    parser.description = module.__doc__
    parser.epilog = f"example:\n  {module.EXAMPLE}"
    module.add_arguments(parser)
