"""Create, list and revoke the API keys of a server.

The keys are in a file in the folder of the collections, or in the file of --keys. A server whose
file has a key requires one for every request, except to `/livez`, `/readyz` and `/health`. Changes
take effect within a second, without a restart.
"""

from __future__ import annotations

import argparse
from types import ModuleType

from ...access import create, revoke, show
from ...parser import add_modules

EXAMPLE = "twindex keys create collections --name app --scope read --scope write"

ACTIONS: dict[str, ModuleType] = {"create": create, "list": show, "revoke": revoke}
"""Action -> its module. The module has the members of a command's module."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_modules(parser, ACTIONS, metavar="ACTION", dest="action")


def run(arguments: argparse.Namespace) -> int:
    status: int = ACTIONS[arguments.action].run(arguments)
    return status
