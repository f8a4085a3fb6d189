"""The flags of `twindex build`. Each flag sets one field of the collection's configuration."""

from __future__ import annotations

import argparse
from collections.abc import Sized
from pathlib import Path
from typing import Any

from ....core import ConfigError
from ....core.near import did_you_mean
from ....core.toml import parse_settings
from ....encoders import ENCODERS, LateEncoderConfig, TildeEncoderConfig
from ....index import CollectionConfig, DenseLeg, LegConfig, SparseLeg
from ....sources import read_vectors
from ...serving.settings import option
from .flags import ENCODER, Flag, add_flags, field_of, flags, given_flags

LEGS = ("dense", "sparse", "lexical", "late", "tilde")
"""Legs that have a flag with their name."""

MODELS = {"dense": "sentence-transformers model", "sparse": "SPLADE model"}

RERANKING: dict[str, LegConfig] = {
    "late": DenseLeg(role="rerank", encoder=LateEncoderConfig()),
    "tilde": SparseLeg(role="rerank", encoder=TildeEncoderConfig()),
}
"""Default configurations of the legs for reranking. The flag --late or --tilde adds the leg."""


def add_legs(parser: argparse._ActionsContainer) -> None:
    """Add `--dense` and `--sparse`."""
    for leg, what in MODELS.items():
        default = field_of(CollectionConfig().legs[leg], (ENCODER, "model"))
        parser.add_argument(
            f"--{leg}",
            metavar="NAME",
            help=f"name or folder of a {what}; none leaves out the leg (default: {default})",
        )


def add_configuration(parser: argparse.ArgumentParser) -> None:
    """Add the flags for all fields of CollectionConfig. The help shows their defaults."""
    group = parser.add_argument_group("configuration of the collection")
    group.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="TOML file of the collection's configuration, or the collection.json of an export; "
        "flags override it",
    )
    add_legs(group)
    group.add_argument(
        "--lexical",
        choices=("bm25", "none"),
        help="ranking function of the lexical leg; none leaves out the leg (default: bm25)",
    )
    group.add_argument(
        "--late",
        metavar="NAME",
        help="add a leg with a vector for each token, for reranking with `--rerank leg:late`. "
        "NAME: a ColBERT-style or any sentence-transformers model, such as "
        f"{LateEncoderConfig().model} (default: none)",
    )
    group.add_argument(
        "--tilde",
        metavar="NAME",
        help="add a leg with a weight for each token of a passage, for reranking with "
        "`--rerank leg:tilde`. NAME: a TILDEv2, SPLADE or masked language model, such as "
        f"{TildeEncoderConfig().model} (default: none)",
    )
    group.add_argument(
        "--encoder",
        metavar="KIND[:NAME]",
        help="use this kind of encoder for each leg that it supports (dense, sparse or both). "
        f"Kinds: {', '.join(_supported_legs())}. promptreps encodes a text for both legs in one "
        "pass of a language model; --dense none or --sparse none drops a leg. NAME: name or folder "
        "of a model",
    )
    group.add_argument(
        "--query-encoder",
        metavar="KIND[:NAME]",
        help="in each leg that this encoder supports, encode queries with it, and documents with "
        "the encoder of --encoder, --dense or --sparse. The vectors of the two encoders must be "
        "comparable",
    )
    add_flags(group, flags(), defaults=True)


def configuration(arguments: argparse.Namespace) -> CollectionConfig:
    """Return the collection's configuration from the flags and the file of `--config`.

    Raises ConfigError for a wrong value, and for a flag of a leg that the collection does not have.
    """
    config = CollectionConfig()
    if arguments.config is not None:
        config = parse_settings(arguments.config, lambda one: CollectionConfig.parse(unwrap(one)))
    value = config.model_dump(mode="json")
    legs: dict[str, Any] = value["legs"]
    _choose_encoder(legs, arguments)
    for name in LEGS:
        choose_leg(legs, name, getattr(arguments, name))
    if all(leg.get("role", "search") == "rerank" for leg in legs.values()):
        raise ConfigError("--dense, --sparse and --lexical are all none; keep at least one")
    units = {arguments.passages, value["passages"]["unit"]}
    if arguments.passages is not None and len(units) == 2 and "tokens" in units:
        value["passages"] = {"unit": arguments.passages}  # Tokens and words have other defaults.
    for flag, given in given_flags(flags(), arguments):
        for target in _targets(flag, value):
            flag.set(target, given)
        if arguments.passages == "none" and flag.name.startswith("--passage-"):
            raise ConfigError("cannot be combined with --passages none", field=flag.name)
    _check_vector_legs(legs, arguments)
    _infer_dimensions(legs, arguments)
    _choose_query_encoder(legs, arguments)
    try:
        return CollectionConfig.parse(value)
    except ConfigError as error:
        option_name = _flag_of(error.field or "", value)
        if option_name is None:
            raise
        raise ConfigError(
            f"{error.message}; set it with {option_name}", field=error.field
        ) from None


def unwrap(value: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration that a file contains.

    It is the field `config` of the file's content, as in an export, or else the whole content.
    """
    inner = value.get("config") if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) else value


def is_configured(arguments: argparse.Namespace) -> bool:
    """Return True if the command line sets any field of the collection's configuration."""
    values = [getattr(arguments, name) for name in ("config", "encoder", "query_encoder", *LEGS)]
    return any(value is not None for value in values) or bool(given_flags(flags(), arguments))


def _flag_of(field: str, value: dict[str, Any]) -> str | None:
    """Return the flag that sets a field of the configuration `value`; None if there is none.

    field: path of the field, such as `legs.dense.encoder.dimensions`.
    """
    for flag in flags():
        own = ".".join(flag.field)
        if flag.legs is None and own == field:
            return flag.name
        for name, leg in value["legs"].items():
            encoder = leg.get(ENCODER) or {}
            if encoder.get("kind") == "pair":
                leg = {**leg, ENCODER: encoder["documents"]}
            place = field.replace(f"{ENCODER}.documents.", f"{ENCODER}.")
            if place == f"legs.{name}.{own}" and flag.fits(name, leg):
                return flag.name
    return None


def _check_vector_legs(legs: dict[str, Any], arguments: argparse.Namespace) -> None:
    """Raise ConfigError if `--vectors` or `--vector-fields` names a leg that is not in `legs`."""
    for attribute in ("vectors", "vector_fields"):
        for name, _ in getattr(arguments, attribute, None) or ():
            if name not in legs:
                message = f"there is no leg {name!r}; the legs are {', '.join(legs)}"
                message += did_you_mean(name, legs)
                raise ConfigError(message, field=option(attribute))


def _infer_dimensions(legs: dict[str, Any], arguments: argparse.Namespace) -> None:
    """Set the dimensions of external dense vectors from the file of `--vectors`."""
    for name, file in getattr(arguments, "vectors", ()):
        encoder = legs.get(name, {}).get(ENCODER, {})
        if encoder.get("kind") == "external" and encoder.get("dimensions") is None:
            first = next(read_vectors(file), None)
            if isinstance(first, Sized):
                encoder["dimensions"] = len(first)


def _choose_query_encoder(legs: dict[str, Any], arguments: argparse.Namespace) -> None:
    """Apply `--query-encoder` to `legs`: the leg's own encoder then encodes only documents."""
    if arguments.query_encoder is None:
        return
    kind, model = _kind_of("--query-encoder", arguments.query_encoder)
    found = [name for name in _supported_legs()[kind] if name in legs]
    if not found:
        able = " or ".join(_supported_legs()[kind])
        raise ConfigError(f"requires a {able} leg", field="--query-encoder")
    for name in found:
        queries = {"kind": kind, **({} if model is None else {"model": model})}
        legs[name][ENCODER] = {
            "kind": "pair",
            "documents": legs[name][ENCODER],
            "queries": queries,
        }


def _kind_of(flag: str, text: str) -> tuple[str, str | None]:
    """Parse KIND or KIND:NAME, the value of a flag. The name is None if it is absent."""
    kind, colon, model = text.partition(":")
    fitting = _supported_legs()
    if kind not in fitting or bool(colon) != bool(model):
        able = ", ".join(fitting)
        message = f"must have the form KIND or KIND:NAME; kinds: {able}; got {text!r}"
        raise ConfigError(message, field=flag)
    return kind, model or None


def choose_leg(legs: dict[str, Any], name: str, model: str | None) -> None:
    """Apply a flag such as `--dense NAME` to `legs`, the legs of a configuration.

    model: "none" removes the leg `name`, another value sets its model, None changes nothing.
    """
    if model == "none":
        legs.pop(name, None)
    elif model is not None:
        leg = legs.setdefault(name, _default_leg(name))
        if name in MODELS or name in RERANKING:
            _set_encoder(leg, name, model)


def _choose_encoder(legs: dict[str, Any], arguments: argparse.Namespace) -> None:
    """Apply `--encoder` to `legs`.

    Legs with equal encoder configurations are encoded together, in one pass of the model.
    """
    if arguments.encoder is None:
        return
    kind, model = _kind_of("--encoder", arguments.encoder)
    fitting = _supported_legs()
    given = {name: getattr(arguments, name) for name in fitting[kind]}
    for name, other in given.items():
        if other not in (None, "none"):
            message = f"conflicts with --encoder; only `--{name} none` may be combined with it"
            raise ConfigError(message, field=f"--{name}")
    if all(given.values()):
        raise ConfigError(f"requires a {' or '.join(given)} leg", field="--encoder")
    for name in given:
        leg = legs.setdefault(name, _default_leg(name))
        _set_encoder(leg, kind, model)


def _supported_legs() -> dict[str, list[str]]:
    """Return kind of encoder -> which of the legs "dense" and "sparse" it can encode.

    The kind "pair" is left out, because --query-encoder makes pairs.
    """
    legs = {
        kind: [leg for leg in MODELS if leg in set(map(str, config.gives))]
        for kind, config in ENCODERS.classes().items()
        if kind != "pair"
    }
    return {kind: own for kind, own in legs.items() if own}


def _targets(flag: Flag, value: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the legs of the configuration `value` that have the flag's field.

    Returns `value` itself for a flag that is not about legs. Raises ConfigError if no leg has the
    field.
    """
    if flag.legs is None:
        return [value]
    found = [leg for name, leg in value["legs"].items() if flag.fits(name, leg)]
    if not found:
        raise ConfigError(f"requires a {flag.required_leg}", field=flag.name)
    return found


def _default_leg(name: str) -> dict[str, Any]:
    legs = {**CollectionConfig().legs, **RERANKING}
    return legs[name].model_dump(mode="json")


def _set_encoder(leg: dict[str, Any], kind: str, model: str | None) -> None:
    encoder = leg.get(ENCODER, {})
    if encoder.get("kind") != kind:
        encoder = {"kind": kind}  # Another kind has different fields.
    leg[ENCODER] = {**encoder, **({} if model is None else {"model": model})}
