"""The flags of `build` that make a CollectionConfig: each is one field of it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ....core import ConfigError, parse_toml
from ....encoders import ENCODERS, LateEncoderConfig, TildeEncoderConfig
from ....index import CollectionConfig, DenseLeg, LegConfig, SparseLeg
from .flags import ENCODER, Flag, add_flags, field_of, flags, given_flags

LEGS = ("dense", "sparse", "lexical", "late", "tilde")
"""The legs that have a flag of their own."""

MODELS = {"dense": "sentence-transformers model", "sparse": "SPLADE model"}

RERANKING: dict[str, LegConfig] = {
    "late": DenseLeg(role="rerank", encoder=LateEncoderConfig()),
    "tilde": SparseLeg(role="rerank", encoder=TildeEncoderConfig()),
}
"""Legs that are stored for rerankers, where they are asked for."""


def add_legs(parser: argparse._ActionsContainer) -> None:
    """`--dense` and `--sparse`."""
    for leg, what in MODELS.items():
        default = field_of(CollectionConfig().legs[leg], (ENCODER, "model"))
        parser.add_argument(
            f"--{leg}",
            metavar="NAME",
            help=f"{what}: a name or a folder, or none for no such leg (default: {default})",
        )


def add_configuration(parser: argparse.ArgumentParser) -> None:
    """All flags, with the defaults of CollectionConfig in their help."""
    group = parser.add_argument_group("configuration of the collection")
    group.add_argument(
        "--config",
        type=Path,
        metavar="FILE.toml",
        help="fields of CollectionConfig; flags override",
    )
    add_legs(group)
    group.add_argument(
        "--lexical", choices=("bm25", "none"), help="the lexical leg (default: bm25)"
    )
    group.add_argument(
        "--late",
        metavar="NAME",
        help="store a vector of each token for reranking (`--rerank leg:late`): a ColBERT-style or "
        f"any sentence-transformers model, such as {LateEncoderConfig().model} (default: none)",
    )
    group.add_argument(
        "--tilde",
        metavar="NAME",
        help="store weights of each passage's own tokens for reranking (`--rerank leg:tilde`): a "
        f"TILDEv2, SPLADE or masked language model, such as {TildeEncoderConfig().model} "
        "(default: none)",
    )
    group.add_argument(
        "--encoder",
        metavar="KIND[:NAME]",
        help="the kind of encoder of the dense and the sparse leg, where it gives what they need: "
        f"{', '.join(_fitting())}; promptreps reads each text once with a language model for "
        "both; --dense none or --sparse none leaves one out. NAME: its model, a name or a folder",
    )
    add_flags(group, flags(), defaults=True)


def configuration(arguments: argparse.Namespace) -> CollectionConfig:
    """The configuration that the arguments of `add_configuration` mean.

    Raises ConfigError for a wrong value and for a flag that has nothing to apply to.
    """
    config = CollectionConfig()
    if arguments.config is not None:
        config = parse_toml(arguments.config, CollectionConfig.parse)
    value = config.model_dump(mode="json")
    legs: dict[str, Any] = value["legs"]
    _choose_encoder(legs, arguments)
    for name in LEGS:
        choose_leg(legs, name, getattr(arguments, name))
    if all(leg.get("role", "search") == "rerank" for leg in legs.values()):
        raise ConfigError("--dense, --sparse and --lexical are all none: nothing could be searched")
    units = {arguments.passages, value["passages"]["unit"]}
    if arguments.passages is not None and len(units) == 2 and "tokens" in units:
        value["passages"] = {"unit": arguments.passages}  # Tokens and words differ in defaults.
    for flag, given in given_flags(flags(), arguments):
        for target in _targets(flag, value):
            flag.set(target, given)
        if arguments.passages == "none" and flag.name.startswith("--passage-"):
            raise ConfigError("does not go with --passages none", field=flag.name)
    return CollectionConfig.parse(value)


def choose_leg(legs: dict[str, Any], name: str, model: str | None) -> None:
    """Take out, add or keep one leg as `--dense NAME` and its like say; None = as it is."""
    if model == "none":
        legs.pop(name, None)
    elif model is not None:
        leg = legs.setdefault(name, _default_leg(name))
        if name in MODELS or name in RERANKING:
            _set_encoder(leg, name, model)


def _choose_encoder(legs: dict[str, Any], arguments: argparse.Namespace) -> None:
    """What `--encoder` says: legs of both kinds get the same, so that one pass serves."""
    if arguments.encoder is None:
        return
    kind, colon, model = arguments.encoder.partition(":")
    fitting = _fitting()
    if kind not in fitting or bool(colon) != bool(model):
        able = ", ".join(fitting)
        message = f"{arguments.encoder!r} is not KIND or KIND:NAME; kinds: {able}"
        raise ConfigError(message, field="--encoder")
    given = {name: getattr(arguments, name) for name in fitting[kind]}
    for name, other in given.items():
        if other not in (None, "none"):
            message = "does not go with --encoder, which is of this leg; only none does"
            raise ConfigError(message, field=f"--{name}")
    if all(given.values()):
        first, *others = given
        lacking = f"neither a {first} nor a {others[0]}" if others else f"no {first}"
        message = f"there is {lacking} leg that it could apply to"
        raise ConfigError(message, field="--encoder")
    for name in given:
        leg = legs.setdefault(name, _default_leg(name))
        _set_encoder(leg, kind, model or None)


def _fitting() -> dict[str, list[str]]:
    """Kind of encoder -> the legs whose encoder it can be."""
    legs = {
        kind: [leg for leg in MODELS if leg in set(map(str, config.gives))]
        for kind, config in ENCODERS.classes().items()
    }
    return {kind: own for kind, own in legs.items() if own}


def _targets(flag: Flag, value: dict[str, Any]) -> list[dict[str, Any]]:
    """The parts of a configuration that have the flag's field. Raises ConfigError for none."""
    if flag.legs is None:
        return [value]
    found = [leg for name, leg in value["legs"].items() if flag.fits(name, leg)]
    if not found:
        raise ConfigError(f"there is no {flag.lacking} that it could apply to", field=flag.name)
    return found


def _default_leg(name: str) -> dict[str, Any]:
    legs = {**CollectionConfig().legs, **RERANKING}
    return legs[name].model_dump(mode="json")


def _set_encoder(leg: dict[str, Any], kind: str, model: str | None) -> None:
    encoder = leg.get(ENCODER, {})
    if encoder.get("kind") != kind:
        encoder = {"kind": kind}  # another kind has other fields
    leg[ENCODER] = {**encoder, **({} if model is None else {"model": model})}
