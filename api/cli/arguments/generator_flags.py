"""The options `--generator-...`: each sets one field of the generator that `--generator` selects.

They are derived from the fields of the kinds of generators, as `flags` derives those of encoders. A
language model has `--generator-FIELD` for the fields of its configuration, and an entailment model
`--generator-entailment-FIELD`. A new kind of generator gets its options without further code.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ....core import Config, ConfigError, InvalidInputError
from ....core.errors import any_of
from ....generate import GENERATORS, Generator, GeneratorConfig
from ....generate.config import GeneratorLoader
from ...serving.settings import option
from .flags import CHOSEN_OTHERWISE, Flag, add_flags, derived, given_flags, kind_flags, nested

PART = "generator"
MODEL = "llm"
"""Field of the language model. The spec of `--generator` sets the name of the model."""
FITTED = "abstention"
"""Field that `twindex calibrate` fits. No option sets it."""


def generator_flags() -> list[Flag]:
    """Return the options of all kinds of generators."""
    return [*kind_flags(PART, GENERATORS, ()), *_nested_flags()]


def _nested_flags() -> Iterator[Flag]:
    """Yield the options of the configurations inside generators, such as a language model."""
    kinds: dict[tuple[str, type[Config]], list[str]] = {}
    for kind, config in GENERATORS.classes().items():
        for field in config.model_fields:
            inner = nested(config, field)
            if inner is not None and field != FITTED:
                kinds.setdefault((field, inner), []).append(kind)
    for (field, inner), own in kinds.items():
        start = PART if field == MODEL else f"{PART}_{field}"
        left_out = CHOSEN_OTHERWISE - ({"model"} if field != MODEL else set())
        for name in inner.model_fields:
            if name not in left_out:
                configs = dict.fromkeys(own, inner)
                path = (PART, field, name)
                flag = derived(option(f"{start}_{name}"), path, configs, (), tuple(own))
                texts = [(text, usual.replace("required", "none")) for text, usual in flag.help]
                yield replace(flag, help=texts)  # Required only if there is such a configuration.


def add_generator_flags(parser: argparse._ActionsContainer) -> None:
    """Add the options `--generator-...`."""
    add_flags(parser, generator_flags(), defaults=True)


def given_names(arguments: argparse.Namespace) -> list[str]:
    """Return the options `--generator-...` that are given."""
    return [flag.name for flag, _ in given_flags(generator_flags(), arguments)]


def changed(name: str, config: GeneratorConfig, arguments: argparse.Namespace) -> GeneratorConfig:
    """Return the configuration of the generator `name` with the options that are given.

    Raises InvalidInputError for an option that the kind of the generator lacks, and for a wrong
    value.
    """
    given = given_flags(generator_flags(), arguments)
    if not given:
        return config
    target: dict[str, Any] = {PART: config.model_dump()}
    for flag, value in given:
        if config.kind not in flag.kinds:
            raise InvalidInputError(
                f"is an option of {any_of(flag.kinds)}, but the generator {name!r} is of the kind "
                f"{config.kind}; remove the option, or name another generator",
                field=flag.name,
            )
        flag.set(target, value)
    try:
        return GENERATORS.parse(target[PART])
    except ConfigError as error:
        # An option can be missing that another one requires.
        names = _names(flag for flag in generator_flags() if config.kind in flag.kinds)
        name = names.get(error.field or "", given[0][0].name)
        raise InvalidInputError(error.message, field=name) from None


def load_changed(
    load: GeneratorLoader, arguments: argparse.Namespace, config: GeneratorConfig
) -> Generator:
    """Load a generator that `changed` returned.

    Raises the errors of `load`; InvalidInputError, with the option, for a value of an option.
    """
    try:
        return load(config)
    except ConfigError as error:
        names = _names(flag for flag, _ in given_flags(generator_flags(), arguments))
        name = names.get(error.field or "")
        if name is None:
            raise
        raise InvalidInputError(error.message, field=name) from None


def _names(flags: Iterable[Flag]) -> Mapping[str, str]:
    """Return field -> option."""
    return {".".join(flag.field[1:]): flag.name for flag in flags}
