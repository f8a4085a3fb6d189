"""List the API keys, without their secrets."""

from __future__ import annotations

import argparse
import json
import time

from ..arguments.common import add_json
from ..terminal import print_json, table
from .place import add_place, key_file

EXAMPLE = "twindex keys list collections"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_place(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    from ...serving.access.granting import date, described

    now = time.time()
    keys = key_file(arguments).read()
    if arguments.json:
        print_json({"keys": [described(key, now) for key in keys]})
        return 0
    if not keys:
        print("no keys")
        return 0
    rows = [
        [
            key.id,
            key.name,
            key.state(now),
            ",".join(key.scopes),
            ",".join(key.collections),
            "" if key.filter is None else json.dumps(key.filter, ensure_ascii=False),
            date(key.expires) or "",
        ]
        for key in keys
    ]
    print(table(["id", "name", "state", "scopes", "collections", "filter", "expires"], rows))
    return 0
