"""The options that select a generator or evaluate answers, and what these options mean."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, get_args

from ....core import InvalidInputError
from ....generate import (
    GENERATORS,
    ContextOptions,
    GeneratorConfig,
    load_generator,
)
from ....generate.protocol import Order
from ....generate.spec import usages
from ....search import GeneratorRegistry
from ...serving.settings import option
from .background import FIELDS, add_background, background_choice
from .generator_flags import add_generator_flags, changed, given_names, load_changed
from .parts import add_file, selected

CONTEXT = {"tokens": "context_tokens", "order": "order", "passages": "passages",
           "per_document": "per_document"}  # fmt: skip
"""Field of ContextOptions -> argument."""


@dataclass(frozen=True, slots=True)
class GeneratorChoice:
    """The generator that `--generator` names, and the background that `--background` selects.

    name:     name of the generator in the registry.
    registry: loads the generators and the backgrounds.
    fields:   field of AnswerRequest -> value.
    """

    name: str
    registry: GeneratorRegistry
    fields: Mapping[str, Any]

    def load(self) -> None:
        """Load the generator and the background."""
        self.registry.get(self.name)
        if "background" in self.fields:
            self.registry.backgrounds.get(self.fields["background"]["model"])


def add_generators(parser: argparse._ActionsContainer) -> None:
    add_file(parser, "generator", "; and backgrounds, in tables [backgrounds.NAME]")


def add_generator(parser: argparse._ActionsContainer) -> None:
    """Add `--generator`, its options `--generator-...`, and `--generators`."""
    parser.add_argument(
        "--generator",
        metavar="NAME",
        help="generator of the answers: a name in --generators, or one of "
        f"{', '.join(usages(GENERATORS))} (default: the first in --generators, else extractive)",
    )
    add_generators(parser)
    add_generator_flags(parser)


def add_context(parser: argparse._ActionsContainer) -> None:
    """Add the options that select which passages the generator reads."""
    defaults = ContextOptions()
    parser.add_argument(
        "--context-tokens",
        type=int,
        metavar="N",
        help="maximum tokens of the prompt; for a generator without a language model, words of the "
        f"sources (default: {defaults.tokens})",
    )
    parser.add_argument(
        "--order",
        choices=get_args(Order),
        help=f"order of the sources in the prompt (default: {defaults.order})",
    )
    parser.add_argument(
        "--passages",
        type=int,
        metavar="N",
        help=f"maximum passages that are sent (default: {defaults.passages})",
    )
    parser.add_argument(
        "--per-document",
        type=int,
        metavar="N",
        help=f"maximum passages of one document (default: {defaults.per_document})",
    )
    parser.add_argument(
        "--max-tokens", type=int, metavar="N", help="maximum tokens of an answer (default: 256)"
    )


def add_answers(parser: argparse.ArgumentParser) -> None:
    """Add the options that evaluate answers."""
    group = parser.add_argument_group("answers")
    group.add_argument(
        "--answers",
        type=Path,
        metavar="FILE",
        help='gold answers, as JSON lines {"_id": query, "answers": [...]}; evaluate the answers '
        "to the queries of this file. An empty list marks a query that has no answer",
    )
    add_generator(group)
    add_background(group)
    add_context(group)
    group.add_argument(
        "--no-abstain",
        action="store_true",
        help="answer every query, even if the generator's rule of abstention would not; measures "
        "the accuracy at each coverage",
    )
    group.add_argument(
        "--answers-file",
        type=Path,
        metavar="OUT.jsonl",
        help="write each answer to this file as soon as it is there. If the file exists, only the "
        "missing answers are made. `twindex compare` compares such files",
    )


def add_abstention(parser: argparse.ArgumentParser) -> None:
    """Add the options that fit a rule of abstention, which decides when no answer is given."""
    group = parser.add_argument_group("abstention")
    group.add_argument(
        "--answers",
        type=Path,
        metavar="FILE",
        help='gold answers, as JSON lines {"_id": query, "answers": [...]}; fit the rule of '
        "--generator to the queries of this file. An empty list marks a query without an answer",
    )
    add_generator(group)
    add_context(group)
    target = group.add_mutually_exclusive_group()
    target.add_argument(
        "--accuracy",
        type=float,
        metavar="X",
        help="choose the threshold with which this share of the answered queries has sources that "
        "contain the answer (default: answer if the probability is at least 0.5)",
    )
    target.add_argument(
        "--coverage",
        type=float,
        metavar="X",
        help="choose the threshold with which this share of the queries is answered",
    )
    group.add_argument(
        "--unanswerable",
        type=float,
        metavar="X",
        help="share of queries whose answer the collection lacks, as you expect it (default: 0.5)",
    )


OPTIONS = (
    *(
        "generator",
        "generators",
        "background",
        *FIELDS.values(),
        *CONTEXT.values(),
        "max_tokens",
        "no_abstain",
        "answers_file",
    ),
    *("accuracy", "coverage", "unanswerable"),
)
"""Arguments that require `--answers`."""


def given_answers(arguments: argparse.Namespace) -> bool:
    """Return True if `--answers` is given.

    Raises InvalidInputError if an option that requires `--answers` is given without it.
    """
    if arguments.answers is not None:
        return True
    for name in OPTIONS:
        if getattr(arguments, name, None) not in (None, False):
            raise InvalidInputError("requires --answers", field=option(name))
    for name in given_names(arguments):
        raise InvalidInputError("requires --answers", field=name)
    return False


def generator_choice(arguments: argparse.Namespace) -> GeneratorChoice:
    """Return the generator that `--generator` names, or the default one, and the background.

    Raises InvalidInputError for a value that is neither a name in `--generators` nor a spec such as
    `extractive`, and the errors of `changed` and of `background_choice`.
    """
    configs: Mapping[str, GeneratorConfig] = {}
    read = GeneratorRegistry()
    if arguments.generators:
        read = GeneratorRegistry.read(arguments.generators)
        configs = read.configs
    wanted: str | None = arguments.generator
    if wanted is not None:
        wanted, configs = selected(wanted, GENERATORS, arguments.generators, configs)
    backgrounds, fields = background_choice(arguments, read.backgrounds)
    load = partial(load_generator, device=arguments.device)
    registry = GeneratorRegistry(configs, load=load, backgrounds=backgrounds, files=read.files)
    name = wanted or registry.default
    config = registry.config(name)
    if (own := changed(name, config, arguments)) is not config:
        configs = {**configs, name: own}
        load = partial(load_changed, load, arguments)
        registry = GeneratorRegistry(configs, load=load, backgrounds=backgrounds, files=read.files)
    return GeneratorChoice(name, registry, {"generator": name, **fields})


def answer_fields(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return field of AnswerRequest -> value, for the options of `add_context` that are given."""
    context = {
        field: value
        for field, name in CONTEXT.items()
        if (value := getattr(arguments, name, None)) is not None
    }
    fields: dict[str, Any] = {"context": context} if context else {}
    if arguments.max_tokens is not None:
        fields["max_tokens"] = arguments.max_tokens
    return fields
