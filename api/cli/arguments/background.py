"""The options `--background` and `--background-...`, and the background that they select."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from functools import partial
from typing import Any, get_args

from ....core import ConfigError, InvalidInputError
from ....generate import BACKGROUNDS, load_background
from ....generate.spec import usages
from ....search.answering.backgrounds import BackgroundRegistry, BackgroundRequest
from ...serving.settings import option
from .parts import selected

FIELDS = {name: f"background_{name}" for name in BackgroundRequest.model_fields if name != "model"}
"""Field of BackgroundRequest -> argument."""


def add_background(parser: argparse._ActionsContainer) -> None:
    """Add `--background` and its options."""
    fields = BackgroundRequest.model_fields
    parser.add_argument(
        "--background",
        metavar="NAME",
        help="model that first writes texts about the question, which the generator reads beside "
        f"the passages: a background in --generators, or one of {', '.join(usages(BACKGROUNDS))}",
    )
    parser.add_argument(
        "--background-only",
        action="store_true",
        default=None,
        help="answer from the generated texts alone; nothing is searched or cited",
    )
    parser.add_argument(
        "--background-share",
        type=float,
        metavar="X",
        help="maximum share of the tokens for sources that generated texts get (default: "
        f"{fields['share'].default})",
    )
    parser.add_argument(
        "--background-combine",
        choices=get_args(fields["combine"].annotation),
        help=f"order in the prompt (default: {fields['combine'].default})",
    )
    parser.add_argument(
        "--background-on-error",
        choices=get_args(fields["on_error"].annotation),
        help="if the model of the background fails: fail, or answer from the passages (default: "
        f"{fields['on_error'].default})",
    )


def background_choice(
    arguments: argparse.Namespace, read: BackgroundRegistry
) -> tuple[BackgroundRegistry, dict[str, Any]]:
    """Return the backgrounds, and the field `background` of AnswerRequest if one is selected.

    read: the backgrounds in `--generators`.

    Raises InvalidInputError for options without `--background`, for options that contradict
    `--background-only`, for a wrong value of an option, and for a `--background` that is neither a
    name in `read` nor a spec.
    """
    fields = {field: getattr(arguments, name, None) for field, name in FIELDS.items()}
    fields = {field: value for field, value in fields.items() if value is not None}
    wanted: str | None = getattr(arguments, "background", None)
    if wanted is None and fields:
        raise InvalidInputError("requires --background", field=option(FIELDS[next(iter(fields))]))
    for field in fields:
        if "only" in fields and field != "only":
            raise InvalidInputError(
                "cannot be combined with --background-only", field=option(FIELDS[field])
            )
    if wanted is None:
        return read, {}
    name, configs = selected(wanted, BACKGROUNDS, arguments.generators, read.configs)
    fields["model"] = name
    try:
        BackgroundRequest.parse(fields)
    except ConfigError as error:
        field = option(FIELDS.get(error.field or "", "background"))
        raise InvalidInputError(error.message, field=field) from None
    load = partial(load_background, device=arguments.device)
    return BackgroundRegistry(configs, load=load, files=read.files), {"background": fields}


def search_fields(
    answer: Mapping[str, Any], search: Mapping[str, Any], **defaults: Any
) -> dict[str, Any]:
    """Return {"search": `search`} for AnswerRequest; {} with `--background-only`.

    answer:   the other fields of AnswerRequest.
    search:   field of SearchRequest -> value.
    defaults: field of SearchRequest -> value that the field has if no option sets it.

    Raises InvalidInputError if `--background-only` is combined with an option of the search.
    """
    if not answer.get("background", {}).get("only"):
        return {"search": search}
    changed = (value != defaults[n] if n in defaults else value for n, value in search.items())
    if answer.get("rewrite") or any(changed):
        raise InvalidInputError(
            "searches nothing; remove the options of the search", field="--background-only"
        )
    return {}
