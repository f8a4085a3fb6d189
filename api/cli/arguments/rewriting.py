"""The options `--rewriter`, `--rewriters` and `--rewrite-...`, and the rewriter they select."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ....core import InvalidInputError
from ....generate.rewriting import REWRITERS, load_rewriter
from ....generate.spec import usages
from ....search import RewriterRegistry
from .parts import add_file, selected
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
    fields:   field of SearchRequest -> value; empty without `--rewriter`.
    """

    registry: RewriterRegistry
    fields: Mapping[str, Any]


def add_rewriter(parser: argparse.ArgumentParser, *, on_error: str = "keep") -> None:
    """Add `--rewriter` and its options. on_error: default of `--rewrite-on-error`."""
    parser.set_defaults(rewrite_on_error_default=on_error)
    group = parser.add_argument_group("rewriting")
    group.add_argument(
        "--rewriter",
        metavar="NAME",
        help="rewriter of the query, which runs a language model: a name in --rewriters, or one of "
        f"{', '.join(usages(REWRITERS))}",
    )
    add_file(group, "rewriter")
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
    read = (
        RewriterRegistry()
        if not arguments.rewriters
        else RewriterRegistry.read(arguments.rewriters)
    )
    name, configs = selected(wanted, REWRITERS, arguments.rewriters, read.configs)
    load = partial(load_rewriter, device=arguments.device)
    registry = RewriterRegistry(configs, load=load, files=read.files)
    given.setdefault("on_error", arguments.rewrite_on_error_default)
    return RewriterChoice(registry, {"rewrite": {"model": name, **given}})
