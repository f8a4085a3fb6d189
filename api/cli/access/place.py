"""Which file of keys a command reads or changes, and how keys are shown."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from ...serving.access.audit import AuditLog
from ...serving.access.key_file import FILE_NAME, Key, KeyFile


def add_place(parser: argparse.ArgumentParser) -> None:
    """Add the arguments ROOT and --keys."""
    parser.add_argument(
        "root", metavar="ROOT", type=Path, help="folder that contains the collections"
    )
    parser.add_argument(
        "--keys", type=Path, metavar="FILE", help=f"file of the keys (default: ROOT/{FILE_NAME})"
    )


def key_file(arguments: argparse.Namespace) -> KeyFile:
    """Return the file of keys. Raises NotFoundError if ROOT is no folder."""
    from ....core import NotFoundError

    if not arguments.root.is_dir():
        raise NotFoundError(f"{arguments.root} is not a folder; name the folder of the collections")
    return KeyFile(arguments.keys or arguments.root / FILE_NAME)


def add_audit(parser: argparse.ArgumentParser) -> None:
    """Add the arguments for the audit log of the server."""
    parser.add_argument(
        "--audit-log",
        type=Path,
        metavar="FILE",
        default=os.environ.get("TWINDEX_AUDIT_LOG") or None,
        help="audit log of the server, which gets a line on the change (default: "
        "$TWINDEX_AUDIT_LOG, else none)",
    )
    parser.add_argument(
        "--audit-chain",
        action="store_true",
        default=os.environ.get("TWINDEX_AUDIT_CHAIN", "").lower() in ("1", "true", "yes", "on"),
        help="the lines of the audit log are linked, as with `twindex serve --audit-chain` "
        "(default: $TWINDEX_AUDIT_CHAIN)",
    )


def audit(arguments: argparse.Namespace, action: str, key: Key) -> None:
    """Append a line to the audit log of --audit-log. action: what was done with the key."""
    if arguments.audit_log is None:
        return
    log = AuditLog(Path(arguments.audit_log), chained=arguments.audit_chain)
    user = {"uid": os.getuid()} if hasattr(os, "getuid") else {}
    log.write({"key": "", "action": action, "id": key.id, "command": "twindex keys", **user})
    log.close()
