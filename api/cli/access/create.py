"""Create an API key and print it, once.

The key is 256 random bits. Only its SHA-256 digest is stored. A running server accepts the key
within a second. A key with a filter reads and writes only documents that meet the filter.
"""

from __future__ import annotations

import argparse
import re
import time
from typing import get_args

from ...serving.access.access import SCOPES, Limits
from ...serving.access.key_file import Signed, new_key
from ..arguments.common import add_json, parse_filter
from ..terminal import note, print_json
from .place import add_audit, add_place, audit, key_file

EXAMPLE = """\
twindex keys create collections --name shop --collection 'shop-*' --filter '{"tenant": "acme"}'"""

_TERM = re.compile(r"([0-9]{1,6})([dh])")
_SECONDS = {"d": 86_400, "h": 3_600}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_place(parser)
    parser.add_argument("--name", required=True, help="name of the key, for people")
    parser.add_argument(
        "--scope",
        action="append",
        choices=SCOPES,
        help="what the key may do; repeatable. read: search, answer, rerank, embed, get documents; "
        "write: write and delete documents, and see its own jobs; admin: create, delete and "
        "maintain collections, and see metrics (default: read)",
    )
    parser.add_argument(
        "--collection",
        action="append",
        metavar="NAME",
        help="collection that the key sees; repeatable. * stands for any characters "
        "(default: all collections)",
    )
    parser.add_argument(
        "--filter",
        type=parse_filter,
        metavar="JSON",
        help="filter that every document meets which the key reads, writes or deletes",
    )
    parser.add_argument(
        "--expires",
        metavar="WHEN",
        help="end of the key: a date such as 2030-01-31 or 2030-01-31T12:00Z, or a time from now "
        "such as 90d or 12h (default: never)",
    )
    parser.add_argument(
        "--requests", type=int, metavar="N", help="maximum number of requests in a minute"
    )
    parser.add_argument(
        "--concurrent", type=int, metavar="N", help="maximum number of requests at the same time"
    )
    parser.add_argument(
        "--model-seconds",
        type=float,
        metavar="N",
        help="maximum number of seconds that language models may work in a minute",
    )
    parser.add_argument(
        "--signed-filter",
        choices=get_args(Signed),
        default="refused",
        help="whether requests may, or must, have a filter that your application signs. The secret "
        "for signatures is printed too (default: refused)",
    )
    add_audit(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    created = new_key(
        arguments.name,
        scopes=tuple(arguments.scope or ("read",)),
        collections=tuple(arguments.collection or ("*",)),
        filter=arguments.filter,
        expires=None if arguments.expires is None else _expiry(arguments.expires),
        limits=_limits(arguments),
        signed=arguments.signed_filter,
    )
    file = key_file(arguments)
    file.add(created.key)
    audit(arguments, "create_key", created.key)
    if arguments.json:
        secrets = {"key": created.secret, "signing_secret": created.signing}
        from ...serving.access.granting import described

        print_json({**described(created.key, time.time()), **secrets})
        return 0
    print(created.secret)
    if created.signing is not None:
        print(created.signing)
        note("the first line is the key, the second is the secret for signed filters")
    note(f"key {created.key.id} is stored in {file.path}; it is not shown again")
    return 0


def _expiry(text: str) -> float:
    """Return the end of a key in seconds since 1970."""
    from ....core import InvalidInputError
    from ....core.filters.dates import instant

    if (term := _TERM.fullmatch(text)) is not None:
        return round(time.time(), 3) + int(term[1]) * _SECONDS[term[2]]
    at = instant(text)
    if at is None:
        raise InvalidInputError(
            f"must be a date such as 2030-01-31, or a time from now such as 90d, got {text!r}",
            field="--expires",
        )
    return at / 1e6


def _limits(arguments: argparse.Namespace) -> Limits:
    from ....core import InvalidInputError

    for name in ("requests", "concurrent", "model_seconds"):
        value = getattr(arguments, name)
        if value is not None and not 0 < value <= 1_000_000_000:
            option = "--" + name.replace("_", "-")
            raise InvalidInputError(f"must be above 0, got {value}", field=option)
    return Limits(arguments.requests, arguments.concurrent, arguments.model_seconds)
