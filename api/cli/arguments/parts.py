"""Parts that an option names, such as rerankers: those of a TOML file, or a spec such as `hyde`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from ....core import Config, ConfigError, InvalidInputError
from ....core.kinds import Kinds
from ....generate.spec import parse_spec

C = TypeVar("C", bound=Config)


def add_file(parser: argparse._ActionsContainer, noun: str, also: str = "") -> None:
    """Add the option that names the TOML file of parts, such as `--rerankers`.

    also: end of the help.
    """
    parser.add_argument(
        f"--{noun}s",
        type=Path,
        metavar="FILE.toml",
        help=f"TOML file that configures {noun}s, each in a table [{noun}s.NAME]{also}",
    )


def parsed(
    spec: str,
    parse: Callable[[str], C],
    noun: str,
    option: str,
    file: Path | None,
    known: Iterable[str],
) -> C:
    """Return the configuration that a spec describes.

    noun:  what the spec describes, such as "reranker".
    known: names of the parts in `file`, which the option accepts too.

    Raises InvalidInputError, which names the option and lists `known`, for an invalid spec.
    """
    try:
        return parse(spec)
    except ConfigError as error:
        names = ", ".join(known)
        there = f"; {file} has the {noun}s {names}" if names else ""
        raise InvalidInputError(f"{error}{there}", field=option) from None


def selected(
    wanted: str, kinds: Kinds[C], file: Path | None, configs: Mapping[str, C]
) -> tuple[str, Mapping[str, C]]:
    """Return the name of the part that an option selects, and name -> configuration.

    wanted:  value of the option: a name in `configs` or a spec.
    kinds:   kinds of the part. The option is `--NOUN`, with the noun of these kinds.
    file:    TOML file of parts, for the error.
    configs: the parts in `file`.

    Raises InvalidInputError for a value that is neither a name in `configs` nor a spec.
    """
    if wanted in configs:
        return wanted, configs
    config: Any = parsed(
        wanted, lambda spec: parse_spec(spec, kinds), kinds.noun, f"--{kinds.noun}", file, configs
    )
    return config.kind, {config.kind: config}
