"""Change how the vectors of a collection are stored.

Nothing is encoded again. Searches and writes go on meanwhile, in other processes too; until the
end, the old files and the new ones are both on disk. What is not given stays as it is.
"""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path
from typing import Any

from ....core import Config, ConfigError, InvalidInputError, parse_toml
from ....index import CollectionConfig, DenseLeg, VectorStorage
from ....index.models import absolute
from ....search import ReconfigureRequest
from ...figures import size
from ..arguments.common import add_collection, add_output, parse_bytes, progress_of
from ..arguments.flags import add_flags, given_flags, storage_flags
from ..terminal import note, print_json

EXAMPLE = "twindex reconfigure my-index --index hnsw --codec int8 --recall 0.95"
STORED = set(VectorStorage.model_fields)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_collection(parser)
    parser.add_argument(
        "--leg",
        action="append",
        metavar="NAME",
        help="a dense leg; may be repeated (default: those that --config changes, or all dense "
        "legs but those for reranking)",
    )
    group = parser.add_argument_group("how vectors are stored")
    group.add_argument(
        "--config",
        type=Path,
        metavar="FILE.toml",
        help="fields of CollectionConfig, as `twindex tune` recommends; how vectors are stored "
        "replaces all that a leg had, the rest must be as it is; flags override",
    )
    add_flags(group, storage_flags(), defaults=False)
    parser.add_argument(
        "--memory",
        type=parse_bytes,
        metavar="SIZE",
        help="memory that it may take beyond what an index must hold (default: 256MiB)",
    )
    add_output(parser)


def run(arguments: argparse.Namespace) -> int:
    from ....search import Collection

    with Collection.open(arguments.collection) as collection:
        legs = chosen(arguments, collection.config)
        before = sum(collection.info()["bytes"].values())
        with closing(progress_of(arguments)) as progress:
            done = collection.reconfigure(legs, memory=arguments.memory, progress=progress)
        after = sum(collection.info()["bytes"].values())
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
    value = {} if arguments.config is None else _of_file(arguments.config, config)
    given = given_flags(storage_flags(), arguments)
    if arguments.leg is not None and not given:
        raise InvalidInputError("no flag that it could be for was given", field="--leg")
    if not given and not value:
        raise InvalidInputError("nothing to change was given: see --index, --codec and --config")
    if given:
        for name in arguments.leg or [*value] or _searched(config):
            leg = config.legs.get(name)
            if not isinstance(leg, DenseLeg):
                able = ", ".join(_dense(config)) or "none"
                message = f"{name!r} is no dense leg; dense legs here: {able}"
                raise InvalidInputError(message, field="--leg")
            target = value.setdefault(name, leg.model_dump(mode="json", include=STORED))
            for flag, wanted in given:
                if not flag.fits("dense", target):
                    message = f"{name!r} is not a {flag.lacking}"
                    raise ConfigError(message, field=flag.name)
                flag.set(target, wanted)
    return dict(ReconfigureRequest.parse({"legs": value}).legs)


def _of_file(path: Path, present: CollectionConfig) -> dict[str, Any]:
    """Leg -> how a file wants its vectors stored. Raises SourceError if it wants other changes."""

    def parse(value: dict[str, Any]) -> dict[str, Any]:
        given = absolute(CollectionConfig.parse(value))
        _same(given, present, {"legs"})
        found = {}
        for name, leg in given.legs.items() if "legs" in given.model_fields_set else ():
            stored = absolute(present).legs.get(name)
            if stored is None or stored.kind != leg.kind:
                able = ", ".join(f"{other} ({known.kind})" for other, known in present.legs.items())
                raise ConfigError(f"there is no such leg; legs here: {able}", field=f"legs.{name}")
            _same(leg, stored, STORED, f"legs.{name}.")
            if isinstance(leg, DenseLeg) and leg.model_fields_set & STORED:
                found[name] = leg.model_dump(mode="json", include=STORED)
        return found

    return parse_toml(path, parse)


def _same(given: Config, present: Config, but: set[str], place: str = "") -> None:
    """Raise ConfigError if `given` says of a field, besides these, what is not so."""
    for field in sorted(given.model_fields_set - but):
        if getattr(given, field) != getattr(present, field):
            message = "differs from the collection's and cannot be changed in it: build it anew"
            raise ConfigError(message, field=place + field)


def _searched(config: CollectionConfig) -> list[str]:
    """The dense legs that searches run by themselves: those for reranking are named."""
    dense = _dense(config)
    found = [name for name in dense if config.legs[name].role == "search"]
    if not found:
        message = f"all dense legs here are for reranking: name one, as in --leg {dense[0]}"
        raise InvalidInputError(message, field="--leg")
    return found


def _dense(config: CollectionConfig) -> list[str]:
    found = [name for name, leg in config.legs.items() if isinstance(leg, DenseLeg)]
    if not found:
        raise InvalidInputError("this collection has no dense leg, so no vectors")
    return found
