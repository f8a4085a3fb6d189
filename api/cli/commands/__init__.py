"""The commands of `twindex`, one module each.

A command's module has the name of the command, a docstring that says what it does (the first line
is the summary), an `EXAMPLE`, and two functions: `add_arguments(parser)` and
`run(arguments) -> exit status`. What is slow to import is imported in `run`.
"""

from __future__ import annotations

from types import ModuleType

from . import (
    add,
    build,
    calibrate,
    compare,
    delete,
    demo,
    eval,  # noqa: A004
    get,
    info,
    merge,
    reconfigure,
    repoint,
    search,
    serve,
    train,
    tune,
    verify,
)

COMMANDS: tuple[ModuleType, ...] = (
    build, add, delete, get, search, eval, compare, info, verify, merge, reconfigure, repoint,
    tune,
    train, calibrate, serve, demo,
)  # fmt: skip
