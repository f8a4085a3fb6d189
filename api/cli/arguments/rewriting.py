"""The options `--rewriter`, `--rewriters` and `--rewrite-...`, and the rewriter they select."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ....core import ConfigError, InvalidInputError
from ....generate.rewriting import RewriterConfig, load_rewriter
from ....generate.rewriting.spec import parse_spec, usages
from ....search import RewriterRegistry
from .understanding import parse_gate

FIELDS = {
    "timeout_ms": "--rewrite-timeout-ms",
    "calls": "--rewrite-calls",
    "tokens": "--rewrite-tokens",
    "on_error": "--rewrite-on-error",
    "gate": "--rewrite-gate",
}
"""Field of RewriteRequest -> its option."""


@dataclass(frozen=True, slots=True)
class RewriterChoice:
    """The rewriter that `--rewriter` selects.

    registry: loads the rewriters.
    fields:   field -> value of SearchRequest; empty without `--rewriter`.
    """

    registry: RewriterRegistry
    fields: Mapping[str, Any]


def add_rewriters(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--rewriters",
        type=Path,
        metavar="FILE.toml",
        help="TOML file that configures rewriters, each in a table [rewriters.NAME]",
    )


def add_rewriter(parser: argparse.ArgumentParser, *, on_error: str = "keep") -> None:
    """Add `--rewriter` and its options. on_error: default of `--rewrite-on-error`."""
    parser.set_defaults(rewrite_on_error_default=on_error)
    group = parser.add_argument_group("rewriting")
    group.add_argument(
        "--rewriter",
        metavar="NAME",
        help="rewriter of the query, which runs a language model: a name in --rewriters, or one of "
        f"{', '.join(usages())}",
    )
    add_rewriters(group)
    group.add_argument(
        FIELDS["timeout_ms"],
        type=float,
        metavar="MS",
        help="time limit in milliseconds; texts not written by then are not searched (default: no "
        "limit)",
    )
    group.add_argument(
        FIELDS["calls"], type=int, metavar="N", help="maximum prompts that the model reads"
    )
    group.add_argument(
        FIELDS["tokens"],
        type=int,
        metavar="N",
        help="maximum tokens that the model reads and writes",
    )
    group.add_argument(
        FIELDS["on_error"],
        choices=("keep", "fail"),
        help=f"if the model fails: search the query as it is, or fail (default: {on_error})",
    )
    group.add_argument(
        FIELDS["gate"],
        type=parse_gate,
        metavar="PREDICTOR<X",
        help="rewrite only queries whose predictor is below (<) or above (>) a threshold",
    )


def rewriter_choice(arguments: argparse.Namespace) -> RewriterChoice:
    """Return the rewriter that `--rewriter` selects, with its options.

    Raises InvalidInputError for options without `--rewriter`, and for a value that is neither a
    name in `--rewriters` nor a spec such as `hyde`.
    """
    given = {name: getattr(arguments, f"rewrite_{name}") for name in FIELDS}
    given = {name: value for name, value in given.items() if value is not None}
    wanted: str | None = arguments.rewriter
    if wanted is None:
        options = [FIELDS[name] for name in given] + ["--rewriters"] * bool(arguments.rewriters)
        if options:
            raise InvalidInputError("requires --rewriter", field=options[0])
        return RewriterChoice(RewriterRegistry(), {})
    configs: dict[str, RewriterConfig] = {}
    if arguments.rewriters:
        configs.update(RewriterRegistry.read(arguments.rewriters).configs)
    name = wanted
    if wanted not in configs:
        try:
            config = parse_spec(wanted)
        except ConfigError as error:
            known = f"; {arguments.rewriters} has {', '.join(configs)}" if configs else ""
            raise InvalidInputError(f"{error}{known}", field="--rewriter") from None
        name = config.kind
        configs = {name: config}
    registry = RewriterRegistry(configs, load=partial(load_rewriter, device=arguments.device))
    given.setdefault("on_error", arguments.rewrite_on_error_default)
    return RewriterChoice(registry, {"rewrite": {"model": name, **given}})
