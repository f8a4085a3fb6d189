"""The option `--api-key-file`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ....core import ConfigError, SourceError
from ....core.files import read_bounded

OPTION = "--api-key-file"
MAX_KEY = 2**16
"""Maximum size of the file with the API key, in bytes."""


def add_key_file(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        OPTION,
        type=Path,
        metavar="FILE",
        help="file with the API key. There is no option for the key itself, because all users of "
        "the machine can read the arguments of a process",
    )


def read_key(path: Path) -> str:
    """Return the content of the file. Raises ConfigError if it cannot be read."""
    try:
        return read_bounded(path, MAX_KEY).decode()
    except UnicodeDecodeError as error:
        raise ConfigError(f"is not UTF-8 ({error}); write the key in ASCII", field=OPTION) from None
    except SourceError as error:
        raise ConfigError(str(error), field=OPTION) from None
