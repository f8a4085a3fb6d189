"""Change how the vectors of a collection are stored.

Nothing is encoded again. Searches and writes continue meanwhile, in other processes too. Until the
command ends, both the old and the new files are on disk. Without --config, all settings keep their
values except those that a flag on the command line changes.
"""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path
from typing import Any

from ....core import Config, ConfigError, InvalidInputError
from ....core.toml import parse_settings
from ....index import CollectionConfig, DenseLeg, VectorStorage
from ....index.models import absolute
from ....search import ReconfigureRequest
from ...figures import size
from ..arguments.common import add_collection, add_output, parse_bytes, progress_of
from ..arguments.configuration import unwrap
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
        help="dense leg to change; may be repeated (default: the legs that --config changes, else "
        "all dense legs except those for reranking)",
    )
    group = parser.add_argument_group("how vectors are stored")
    group.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="TOML file of a collection's configuration, as written by `twindex tune`, or the "
        "collection.json of an export; flags override it. The file replaces all settings of vector "
        "storage of each leg that it contains. All other settings in the file must equal those of "
        "the collection",
    )
    add_flags(group, storage_flags(), defaults=False)
    parser.add_argument(
        "--memory",
        type=parse_bytes,
        metavar="SIZE",
        help="memory for building, in addition to the minimum that an index requires (default: "
        "256MiB)",
    )
    add_output(parser)


def run(arguments: argparse.Namespace) -> int:
    from ....search import Collection

    with Collection.open(arguments.collection) as collection:
        legs = storage_changes(arguments, collection.config)
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
        print(f"{', '.join(legs)} rewritten: {size(before)} before, {size(after)} now")
    else:
        print("already stored this way")
    return 0


def storage_changes(
    arguments: argparse.Namespace, config: CollectionConfig
) -> dict[str, VectorStorage]:
    """Return leg -> its new vector storage, for the legs that the arguments change."""
    value = {} if arguments.config is None else _storage_from_file(arguments.config, config)
    given = given_flags(storage_flags(), arguments)
    if arguments.leg is not None and not given:
        raise InvalidInputError("requires a flag to apply, such as --index", field="--leg")
    if not given and not value:
        raise InvalidInputError("nothing to change; give --index, --codec or another option")
    if given:
        for name in arguments.leg or [*value] or _search_legs(config):
            leg = config.legs.get(name)
            if not isinstance(leg, DenseLeg):
                able = ", ".join(_dense_legs(config)) or "none"
                message = f"{name!r} is not a dense leg; dense legs here: {able}"
                raise InvalidInputError(message, field="--leg")
            target = value.setdefault(name, leg.model_dump(mode="json", include=STORED))
            for flag, wanted in given:
                if not flag.fits("dense", target):
                    message = f"requires a {flag.required_leg}, and {name!r} is not one"
                    raise ConfigError(message, field=flag.name)
                flag.set(target, wanted)
    return dict(ReconfigureRequest.parse({"legs": value}).legs)


def _storage_from_file(path: Path, present: CollectionConfig) -> dict[str, Any]:
    """Return leg -> vector storage, from a file with a collection's configuration.

    Raises SourceError if any other field in the file differs from `present`.
    """

    def parse(value: dict[str, Any]) -> dict[str, Any]:
        given = absolute(CollectionConfig.parse(unwrap(value)))
        _check_equal(given, present, {"legs"})
        found = {}
        for name, leg in given.legs.items() if "legs" in given.model_fields_set else ():
            stored = absolute(present).legs.get(name)
            if stored is None or stored.kind != leg.kind:
                able = ", ".join(f"{other} ({known.kind})" for other, known in present.legs.items())
                raise ConfigError(
                    f"no leg of the collection has this name and kind; the legs are {able}",
                    field=f"legs.{name}",
                )
            _check_equal(leg, stored, STORED, f"legs.{name}.")
            if isinstance(leg, DenseLeg) and leg.model_fields_set & STORED:
                found[name] = leg.model_dump(mode="json", include=STORED)
        return found

    return parse_settings(path, parse)


def _check_equal(given: Config, present: Config, but: set[str], prefix: str = "") -> None:
    """Raise ConfigError if a field that `given` sets differs in `present`.

    but:    fields that may differ.
    prefix: put before the name of the field in the error.
    """
    for field in sorted(given.model_fields_set - but):
        if getattr(given, field) != getattr(present, field):
            message = "differs from the collection and cannot be changed; build a new collection"
            raise ConfigError(message, field=prefix + field)


def _search_legs(config: CollectionConfig) -> list[str]:
    """Return the names of the dense legs that searches run.

    Raises InvalidInputError if all dense legs are for reranking.
    """
    dense = _dense_legs(config)
    found = [name for name in dense if config.legs[name].role == "search"]
    if not found:
        message = f"is required, because all dense legs are for reranking; use --leg {dense[0]}"
        raise InvalidInputError(message, field="--leg")
    return found


def _dense_legs(config: CollectionConfig) -> list[str]:
    found = [name for name, leg in config.legs.items() if isinstance(leg, DenseLeg)]
    if not found:
        raise InvalidInputError("the collection has no dense leg, so it stores no vectors")
    return found
