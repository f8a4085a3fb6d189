"""Serve collections over HTTP, with a search page.

ROOT contains one folder for each collection. The search page is at /, the answer page at /ask, and
the interactive API reference at /docs. Requests may only use the rerankers of --rerankers, the
generators of --generators and the rewriters of --rewriters.

Every setting can be an option, an environment variable (TWINDEX_THREADS for --threads) or a key of
the file --config. An option overrides a variable, and a variable overrides the file.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from ....descriptions import fields
from ....serving.settings import Settings, option
from ...arguments.answering import add_generators
from ...arguments.common import add_allowed_models, add_models, allow_download, allow_models
from ...arguments.key_file import add_key_file, read_key
from ...arguments.parts import add_file

EXAMPLE = "twindex serve collections --port 8080"
_ELSEWHERE = {"api_key", "device", "generators", "models", "rerankers", "rewriters"}
"""Settings whose options are added elsewhere."""
_ON = {"access_log", "audit_chain", "without_keys"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "root", metavar="ROOT", type=Path, help="folder that contains the collections"
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)"
    )
    parser.add_argument("--port", type=int, default=8080, help="port to listen on (default: 8080)")
    parser.add_argument("--config", type=Path, metavar="FILE.toml", help="TOML file of settings")
    parser.add_argument(
        "--check-config",
        action="store_true",
        help="check the settings, the files that they name, and that all models are on this "
        "machine; print the settings without secrets, and do not start. The exit status is 1 if "
        "something is wrong",
    )
    add_file(parser, "reranker")
    add_generators(parser)
    add_file(parser, "rewriter")
    add_models(parser)
    add_allowed_models(parser)
    group = parser.add_argument_group("settings")
    add_key_file(group)
    texts = _texts()
    for name, field in Settings.model_fields.items():
        if name in _ELSEWHERE:
            continue
        text = texts.get(name, "").replace("%", "%%")
        if name in _ON:
            group.add_argument(option(name), action="store_true", default=None, help=text)
            continue
        default = ",".join(field.default) if isinstance(field.default, tuple) else field.default
        shown = "" if default in ("", None) else f" (default: {default})"
        flags = [option(name)]
        if name == "cors_origins":
            flags.append("--cors-origin")
        group.add_argument(*flags, dest=name, metavar="VALUE", help=text + shown)


def _texts() -> dict[str, str]:
    """Return name of setting -> description, from the docstring of `Settings`."""
    return {name: text.rstrip(".") for name, text in fields(Settings.__doc__ or "").items()}


def run(arguments: argparse.Namespace) -> int:
    allow_download(arguments)
    allow_models(arguments)
    values = {name: getattr(arguments, name, None) for name in Settings.model_fields}
    if arguments.api_key_file is not None:
        values["api_key"] = read_key(arguments.api_key_file)
    given = {name: value for name, value in values.items() if value not in (None, [])}
    settings = Settings.from_environment(os.environ, file=arguments.config, given=given)
    if arguments.check_config:
        from .check_config import check, shown

        problems = check(arguments.root, settings, arguments.host)
        print(shown(settings))
        for problem in problems:
            print(f"twindex: error: {problem}", file=sys.stderr)
        return 1 if problems else 0
    if settings.workers > 1:
        from ....workers.supervisor import supervise

        return supervise(
            arguments.root, host=arguments.host, port=arguments.port, settings=settings
        )
    from ....http.server import serve

    serve(arguments.root, host=arguments.host, port=arguments.port, settings=settings)
    return 0
