"""The options `--rerank` and `--rerank-...`, and the rerankers that they select."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ....core import ConfigError, InvalidInputError
from ....rerank import RerankerConfig, load_reranker, parse_spec
from ....rerank.spec import usages
from ....search import RerankerRegistry, RerankRequest
from ...serving.settings import option
from .parts import add_file, parsed

FIELDS = tuple(name for name in RerankRequest.model_fields if name != "model")
"""Fields of RerankRequest. Each has an option `--rerank-FIELD`."""


@dataclass(frozen=True, slots=True)
class RerankChoice:
    """The rerankers that `--rerank` selects.

    registry: loads these rerankers.
    requests: value of `--rerank` -> request to rerank with it.
    """

    registry: RerankerRegistry
    requests: Mapping[str, RerankRequest]


def add_rerank(
    parser: argparse.ArgumentParser, *, several: bool = False, without: Sequence[str] = ()
) -> None:
    """Add `--rerank` and its options.

    several: `--rerank` may be repeated.
    without: fields of RerankRequest that get no option.
    """
    group = parser.add_argument_group("reranking")
    again = "; repeat it to compare several with --table" if several else ""
    group.add_argument(
        "--rerank",
        action="append",
        default=[],
        metavar="NAME",
        help="reranker of the best hits: a name in --rerankers, or one of "
        f"{', '.join(usages()).replace('%', '%%')}; join rerankers with + for a chain, e.g. "
        f"late@50+mmr@10{again}",
    )
    add_file(group, "reranker")
    group.add_argument(
        "--rerank-top-n",
        type=int,
        metavar="N",
        help="hits to rerank (default: as configured, else 100)",
    )
    group.add_argument(
        "--rerank-timeout-ms",
        type=float,
        metavar="MS",
        help="time limit in milliseconds; hits not reranked by then keep their order (default: no "
        "limit)",
    )
    group.add_argument(
        "--rerank-calls",
        type=int,
        metavar="N",
        help="maximum prompts or pairs that the model reads",
    )
    group.add_argument(
        "--rerank-tokens",
        type=int,
        metavar="N",
        help="maximum tokens that the model reads and writes",
    )
    if "min_score" not in without:
        group.add_argument(
            "--rerank-min-score",
            type=float,
            metavar="X",
            help="drop hits with a lower reranker score",
        )
    if "on_error" not in without:
        group.add_argument(
            "--rerank-on-error",
            choices=("keep", "fail"),
            help="if the reranker's model fails: keep the order of the hits, or fail (default: "
            "keep)",
        )


def rerank_option(field: str) -> str:
    """Return the option for a field of RerankRequest."""
    return option(f"rerank_{field}")


def rerank_choice(arguments: argparse.Namespace, *, several: bool = False) -> RerankChoice:
    """Return the rerankers that `--rerank` selects, with their options; none without `--rerank`.

    Raises InvalidInputError for options without `--rerank`, for a value that is neither a name in
    `--rerankers` nor a spec such as `mmr`, and for more than one reranker unless `several`.
    """
    fields = {name: getattr(arguments, f"rerank_{name}", None) for name in FIELDS}
    fields = {name: value for name, value in fields.items() if value is not None}
    options = [rerank_option(name) for name in fields]
    options += ["--rerankers"] if arguments.rerankers else []
    if options and not arguments.rerank:
        raise InvalidInputError("requires --rerank", field=options[0])
    configs: dict[str, RerankerConfig] = {}
    files: Mapping[str, Path] = {}
    if arguments.rerankers:
        read = RerankerRegistry.read(arguments.rerankers)
        files = read.files
        configs.update(read.configs)
    known = tuple(configs)
    names: dict[str, str] = {}
    for given in arguments.rerank:
        if given in names:
            raise InvalidInputError(f"{given!r} is given twice; give it once", field="--rerank")
        names[given] = given
        if given not in known:
            file = arguments.rerankers
            config = parsed(given, parse_spec, "reranker", "--rerank", file, known)
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
        raise InvalidInputError(
            "may be repeated only with `twindex eval --table`; give it once", field="--rerank"
        )
    return RerankChoice(RerankerRegistry(configs, load=load, files=files), requests)


def _name(spec: str, taken: Mapping[str, Any]) -> str:
    """Return a name for the reranker `spec`: valid in a registry, and not a key of `taken`."""
    base = re.sub(r"[^A-Za-z0-9_.]+", "-", spec).strip("-._")[:56] or "reranker"
    name, number = base, 1
    while name in taken:
        number += 1
        name = f"{base}-{number}"
    return name
