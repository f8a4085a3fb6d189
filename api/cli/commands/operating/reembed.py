"""Encode a collection again with other models, while it is searched and written.

Searches and writes continue in other processes. The new collection replaces the old one in one
step. The old one is kept on disk until --confirm removes it or --roll-back brings it back. To
continue an interrupted command, run it again.
"""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from .....core import InvalidInputError
from ...arguments.common import add_collection, add_models, add_output, loader_of, progress_of
from ...terminal import print_json

if TYPE_CHECKING:
    from .....index import CollectionConfig

EXAMPLE = "twindex reembed my-index --model dense=all-MiniLM-L12-v2"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_collection(parser)
    parser.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="LEG=NAME",
        help="encode a leg with another model of the same kind; may be repeated. Other legs and "
        "settings stay",
    )
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="TOML file of the whole new configuration, as for `twindex build`",
    )
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--confirm", action="store_true", help="remove the collection that was replaced"
    )
    group.add_argument(
        "--roll-back",
        action="store_true",
        help="bring back the collection that was replaced; writes since then are lost",
    )
    add_models(parser)
    add_output(parser)


def run(arguments: argparse.Namespace) -> int:
    from .....search import confirm_reembedding, reembed, roll_back_reembedding

    if arguments.confirm or arguments.roll_back:
        if arguments.model or arguments.config:
            option = "--confirm" if arguments.confirm else "--roll-back"
            raise InvalidInputError("accepts no new configuration", field=option)
        act = confirm_reembedding if arguments.confirm else roll_back_reembedding
        done = act(arguments.collection)
        if arguments.json:
            print_json({"changed": done})
        else:
            what = "removed" if arguments.confirm else "brought back"
            print(f"the replaced collection was {what}" if done else "nothing was replaced")
        return 0
    with closing(progress_of(arguments)) as progress:
        made = reembed(
            arguments.collection,
            _wanted(arguments),
            progress=progress,
            encoders=loader_of(arguments),
        )
    if arguments.json:
        print_json(
            {
                "changed": made.changed,
                "documents": made.documents,
                "copied": made.copied,
                "held_seconds": made.held,
            }
        )
    elif made.changed:
        were = "document was" if made.documents == 1 else "documents were"
        print(
            f"{made.documents:,} {were} encoded again; writes waited {made.held:.1f} s. "
            "Keep the result with --confirm, or go back with --roll-back"
        )
    else:
        print("the collection has this configuration already")
    return 0


def _wanted(arguments: argparse.Namespace) -> CollectionConfig:
    """Return the new configuration of the collection."""
    from .....core.toml import parse_settings
    from .....index import CollectionConfig
    from .....search import Collection
    from ...arguments.configuration import unwrap

    if bool(arguments.model) == bool(arguments.config):
        raise InvalidInputError("requires either --model or --config, to say what changes")
    if arguments.config:
        return parse_settings(arguments.config, lambda one: CollectionConfig.parse(unwrap(one)))
    with Collection.open(arguments.collection, read_only=True, verify="size") as collection:
        value = collection.config.model_dump(mode="json")
    for given in arguments.model:
        leg, mark, name = given.partition("=")
        found = value["legs"].get(leg)
        if not mark or not name or found is None or "model" not in found["encoder"]:
            able = [n for n, one in value["legs"].items() if "model" in one["encoder"]]
            raise InvalidInputError(
                f"must be LEG=NAME with a leg that has a model ({', '.join(able) or 'none'}), got "
                f"{given!r}",
                field="--model",
            )
        found["encoder"] = {"kind": found["encoder"]["kind"], "model": name}
    return CollectionConfig.parse(value)
