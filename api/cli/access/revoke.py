"""Revoke an API key. A running server refuses the key within a second.

The key stays in the list, so that its id in logs can be explained.
"""

from __future__ import annotations

import argparse

from .place import add_audit, add_place, audit, key_file

EXAMPLE = "twindex keys revoke collections 5d3a0c9be1f2"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_place(parser)
    parser.add_argument("id", metavar="ID", help="id of the key, as `twindex keys list` shows it")
    add_audit(parser)


def run(arguments: argparse.Namespace) -> int:
    key = key_file(arguments).revoke(arguments.id)
    audit(arguments, "revoke_key", key)
    print(f"key {key.id} ({key.name}) is revoked")
    return 0
