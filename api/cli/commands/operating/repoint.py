"""Set the stored path of a model after the model's folder was moved.

A collection stores the path or name of each model with a digest of its weights. PATH must hold the
same weights, because vectors of different models cannot be compared. No vector changes. Restart a
server that could not load the model.
"""

from __future__ import annotations

import argparse

from ...arguments.common import add_collection, add_json
from ...terminal import print_json

EXAMPLE = "twindex repoint my-index /srv/models/mini"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_collection(parser)
    parser.add_argument(
        "model", metavar="PATH", help="a folder, a GGUF file, or the name of an installed model"
    )
    parser.add_argument(
        "--leg",
        action="append",
        metavar="NAME",
        help="only this leg; may be repeated (default: every leg encoded with these weights)",
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    from .....encoders.model_paths import absolute_name
    from .....search import repoint

    changed = repoint(arguments.collection, arguments.model, legs=arguments.leg)
    name = absolute_name(arguments.model)
    if arguments.json:
        print_json({"changed": changed, "model": name})
    elif changed:
        print(f"{', '.join(changed)}: {name}")
    else:
        print("already stored this way")
    return 0
