"""Change the metadata of documents by id or by filter.

No text is encoded again. METADATA is a merge patch in JSON (RFC 7396): null removes a field, an
object is merged into the stored object, and any other value replaces the stored value.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict

from ....figures import counted
from ...arguments.common import add_collection, add_filter, add_json
from ...terminal import note, print_json

EXAMPLE = """twindex update my-index '{"draft": null, "year": 2025}' --id kiwi emu"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_collection(parser)
    parser.add_argument("metadata", metavar="METADATA", help="merge patch of metadata, as JSON")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--id", nargs="+", metavar="ID", help="ids of the documents to change")
    add_filter(which)
    parser.add_argument(
        "--if-match",
        metavar="TAG",
        help="tag that the document must have, for a single id; `twindex get --tag` prints it",
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    from .....core import InvalidInputError, UpdateReport
    from .....search import Collection
    from .....sources.records.exact_json import parse_json

    try:
        patch = parse_json(arguments.metadata.encode())
    except ValueError as error:
        raise InvalidInputError(f"is not JSON ({error})", field="METADATA") from None
    if not isinstance(patch, dict):
        raise InvalidInputError("must be a JSON object", field="METADATA")
    tag, ids = arguments.if_match, arguments.id
    if tag is not None and (ids is None or len(ids) != 1):
        raise InvalidInputError("needs a single --id", field="--if-match")
    with Collection.open(arguments.collection) as collection:
        if tag is not None:
            before = collection.get(ids[0]).tag
            changed = collection.update(ids[0], patch, if_match=tag) != before
            report = UpdateReport(int(changed), int(not changed))
        elif ids is not None:
            report = collection.update_many(ids, patch)
        else:
            report = collection.update_where(arguments.filter, patch)
    if arguments.json:
        print_json(asdict(report))
        return 0
    print(f"{counted(report.updated, 'document')} changed")
    if report.unchanged:
        print(f"{counted(report.unchanged, 'document')} had this metadata already")
    if report.not_found:
        print(f"{counted(len(report.not_found), 'id')} not found")
    for warning in report.warnings:
        note(f"warning: {warning}")
    return 0
