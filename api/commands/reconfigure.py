"""Change how the vectors of a collection are stored.

Nothing is encoded again. Searches and writes go on meanwhile, in other processes too; until the
end, the old files and the new ones are both on disk. What is not given stays as it is.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ...core import CollectionConfig, DenseLeg, InvalidInputError, VectorStorage
from ...search import ReconfigureRequest
from ..terminal import note, print_json, size
from .arguments import add_collection, add_json, add_quiet, parse_bytes, progress_of
from .configuration import parse_toml
from .flags import STORAGE, add_flags

EXAMPLE = "twindex reconfigure my-index --index hnsw --codec int8 --recall 0.95"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_collection(parser)
    parser.add_argument(
        "--leg",
        action="append",
        metavar="NAME",
        help="a dense leg; may be repeated (default: all dense legs)",
    )
    group = parser.add_argument_group("how vectors are stored")
    group.add_argument(
        "--config",
        type=Path,
        metavar="FILE.toml",
        help="tables [legs.NAME] with index, codec, projection and originals, which replace all "
        "that the leg had; flags override",
    )
    add_flags(group, STORAGE, defaults=False)
    parser.add_argument(
        "--memory",
        type=parse_bytes,
        metavar="SIZE",
        help="memory that it may take beyond what an index must hold (default: 256MiB)",
    )
    add_quiet(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    from ...search import Engine

    progress = progress_of(arguments)
    with Engine.open(arguments.collection) as engine:
        legs = chosen(arguments, engine.config)
        before = sum(engine.info()["bytes"].values())
        try:
            done = engine.reconfigure(legs, memory=arguments.memory, progress=progress)
        finally:
            progress.close()
        after = sum(engine.info()["bytes"].values())
    for warning in done.warnings:
        note(f"twindex: warning: {warning}")
    if arguments.json:
        print_json(
            {
                "changed": done.changed,
                "bytes_before": before,
                "bytes_after": after,
                "warnings": list(done.warnings),
            }
        )
    elif done.changed:
        print(f"{', '.join(legs)} stored anew: {size(before)} before, {size(after)} now")
    else:
        print("stored so already")
    return 0


def chosen(arguments: argparse.Namespace, config: CollectionConfig) -> dict[str, VectorStorage]:
    """How the arguments want the vectors of each leg stored."""
    value: dict[str, Any] = {}
    if arguments.config is not None:
        value = parse_toml(arguments.config, _checked).model_dump(mode="json")["legs"]
    given = [(flag, getattr(arguments, flag.attribute)) for flag in STORAGE]
    given = [(flag, wanted) for flag, wanted in given if wanted is not None]
    if arguments.leg is not None and not given:
        raise InvalidInputError("no flag that it could be for was given", field="--leg")
    if not given and not value:
        raise InvalidInputError("nothing to change was given: see --index, --codec and --config")
    if given:
        for name in arguments.leg or _dense(config):
            leg = config.legs.get(name)
            if not isinstance(leg, DenseLeg):
                able = ", ".join(_dense(config)) or "none"
                message = f"{name!r} is no dense leg; dense legs here: {able}"
                raise InvalidInputError(message, field="--leg")
            present = leg.model_dump(mode="json", include=set(VectorStorage.model_fields))
            target = value.setdefault(name, present)
            for flag, wanted in given:
                flag.set(target, wanted)
    return dict(_checked({"legs": value}).legs)


def _checked(value: dict[str, Any]) -> ReconfigureRequest:
    """A file may say that its legs are dense, so that `build` takes the same one."""
    legs = value.get("legs")
    if isinstance(legs, dict):
        for leg in legs.values():
            if isinstance(leg, dict) and leg.get("kind") == "dense":
                del leg["kind"]
    return ReconfigureRequest.parse(value)


def _dense(config: CollectionConfig) -> list[str]:
    found = [name for name, leg in config.legs.items() if isinstance(leg, DenseLeg)]
    if not found:
        raise InvalidInputError("this collection has no dense leg, so no vectors")
    return found
