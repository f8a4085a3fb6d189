"""Arguments that choose rerankers, and what they mean."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ....core import ConfigError, InvalidInputError
from ....rerank import RerankerConfig, load_reranker, parse_spec
from ....rerank.spec import usages
from ....search import RerankerRegistry, RerankRequest
from ...serving.settings import option

FIELDS = tuple(name for name in RerankRequest.model_fields if name != "model")
"""Fields of RerankRequest that have an option."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Rerankers that were asked for.

    requests: as they were written -> what is asked of them.
    """

    registry: RerankerRegistry
    requests: Mapping[str, RerankRequest]


def add_rerankers(parser: argparse._ActionsContainer) -> None:
    parser.add_argument(
        "--rerankers",
        type=Path,
        metavar="FILE.toml",
        help="rerankers by name: tables [rerankers.NAME] with kind and options",
    )


def add_rerank(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    """`--rerank` and its options; `several`: it may be repeated."""
    group = parser.add_argument_group("reranking")
    again = "; repeat it to compare several with --table" if several else ""
    group.add_argument(
        "--rerank",
        action="append",
        default=[],
        metavar="NAME",
        help="order the best hits anew: a name of --rerankers or one of "
        f"{', '.join(usages()).replace('%', '%%')}; joined by + a chain, e.g. "
        f"late@50+mmr@10{again}",
    )
    add_rerankers(group)
    group.add_argument(
        "--rerank-top-n", type=int, metavar="N", help="hits it judges (default: as configured, 100)"
    )
    group.add_argument(
        "--rerank-timeout-ms",
        type=float,
        metavar="MS",
        help="time for it; what is not judged by then keeps its order (default: no limit)",
    )
    group.add_argument("--rerank-calls", type=int, metavar="N", help="prompts or pairs it may read")
    group.add_argument(
        "--rerank-tokens", type=int, metavar="N", help="tokens it may read and write"
    )
    group.add_argument(
        "--rerank-min-score", type=float, metavar="X", help="leave out hits that it scores lower"
    )
    group.add_argument(
        "--rerank-on-error",
        choices=("keep", "fail"),
        help="when its model fails: keep the hits as they were, or fail (default: keep)",
    )


def rerank_option(field: str) -> str:
    """The option of a field of RerankRequest."""
    return option(f"rerank_{field}")


def chosen(arguments: argparse.Namespace, *, several: bool = False) -> Chosen:
    """What the arguments of `add_rerank` mean; no requests without `--rerank`.

    Raises InvalidInputError for options without it, for a name that is neither configured nor a
    spec, and unless `several` for more than one.
    """
    fields = {name: getattr(arguments, f"rerank_{name}") for name in FIELDS}
    fields = {name: value for name, value in fields.items() if value is not None}
    options = [rerank_option(name) for name in fields]
    options += ["--rerankers"] if arguments.rerankers else []
    if options and not arguments.rerank:
        raise InvalidInputError("goes with --rerank only", field=options[0])
    configs: dict[str, RerankerConfig] = {}
    if arguments.rerankers:
        configs.update(RerankerRegistry.read(arguments.rerankers).configs)
    known = tuple(configs)
    names: dict[str, str] = {}
    for given in arguments.rerank:
        if given in names:
            raise InvalidInputError(f"{given!r} is given twice", field="--rerank")
        if given in known:
            names[given] = given
            continue
        try:
            config = parse_spec(given)
        except ConfigError as error:
            there = f"; {arguments.rerankers} has {', '.join(known)}" if known else ""
            raise InvalidInputError(f"{error}{there}", field="--rerank") from None
        names[given] = _name(given, configs)
        configs[names[given]] = config
    load = partial(load_reranker, device=arguments.device)
    try:
        requests = {
            given: RerankRequest.parse({"model": name, **fields}) for given, name in names.items()
        }
    except ConfigError as error:
        raise InvalidInputError(error.message, field=rerank_option(error.field or "")) from None
    if len(requests) > 1 and not several:
        raise InvalidInputError("several need --table of `twindex eval`", field="--rerank")
    return Chosen(RerankerRegistry(configs, load=load), requests)


def _name(spec: str, taken: Mapping[str, Any]) -> str:
    """A spec as a name that a registry takes."""
    base = re.sub(r"[^A-Za-z0-9_.]+", "-", spec).strip("-._")[:56] or "reranker"
    name, number = base, 1
    while name in taken:
        number += 1
        name = f"{base}-{number}"
    return name
