"""The option `--generators`."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_generators(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--generators",
        type=Path,
        metavar="FILE.toml",
        help="TOML file that configures generators, each in a table [generators.NAME]",
    )
