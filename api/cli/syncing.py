"""`twindex build --sync`: keep a collection in step with folders and files."""

from __future__ import annotations

import argparse
import json
import signal
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from ...core import InvalidInputError, SourceError, TwindexError
from ...sources import FieldNames, survey
from ...sources.errors import NoDocumentError
from ...sources.listing import check_path
from ..figures import counted
from .arguments.common import loader_of, progress_of, share_cores
from .arguments.configuration import configuration, is_configured
from .arguments.inputs import field_names, files_json, left_out, print_problems
from .arguments.skipped_list import SkippedList
from .terminal import model_usage, note, print_json, print_skipped

if TYPE_CHECKING:
    from ...search import SyncReport

WATCH_SECONDS = 5.0
LEAST_SECONDS = 0.1
INTERRUPTED = "twindex: stored work is kept; run the same command again to complete the sync"


def add_sync(parser: argparse.ArgumentParser) -> None:
    """Add `--sync` and the options that require it."""
    from ...search.syncing.report import MAX_REMOVED

    group = parser.add_argument_group("keeping a collection in step with files")
    group.add_argument(
        "--sync",
        action="store_true",
        help="update the collection to the state of --documents: write new and changed documents, "
        "and delete documents that are no longer in a file. Unchanged documents are not encoded, "
        "and documents that other commands wrote stay. Creates the collection if there is none",
    )
    group.add_argument(
        "--watch",
        nargs="?",
        const=WATCH_SECONDS,
        type=_seconds,
        metavar="SECONDS",
        help="sync now, and again whenever files have changed, until Ctrl-C or SIGTERM. SECONDS: "
        f"time between two looks at the files (default: {WATCH_SECONDS:g})",
    )
    group.add_argument(
        "--dry-run",
        action="store_true",
        help="list what --sync would change, and change nothing",
    )
    group.add_argument(
        "--max-removed",
        type=_share,
        metavar="SHARE",
        help="maximum share of the documents of a folder or file to delete, from 0 to 1. If more "
        "are missing, the sync fails, because the folder may be incomplete or not mounted; 1 "
        f"allows everything (default: {MAX_REMOVED:g})",
    )
    group.add_argument(
        "--reread",
        action="store_true",
        help="read every file again, even if its content is unchanged",
    )


def check_sync(arguments: argparse.Namespace) -> None:
    """Raise InvalidInputError for an option that requires `--sync`."""
    given = {
        "--dry-run": arguments.dry_run,
        "--max-removed": arguments.max_removed is not None,
        "--reread": arguments.reread,
    }
    for name, present in given.items():
        if present:
            raise InvalidInputError("requires --sync", field=name)


def run_sync(arguments: argparse.Namespace) -> int:
    """Run `twindex build` with `--sync` or `--watch`. Return the exit status."""
    if arguments.memory_budget is not None:
        message = "cannot be combined with --sync, which writes in small batches"
        raise InvalidInputError(message, field="--memory-budget")
    if arguments.vectors:
        message = "cannot be combined with --sync; put the vectors into the documents, and name "
        raise InvalidInputError(f"{message}their fields with --vector-fields", field="--vectors")
    if arguments.dry_run and arguments.watch is not None:
        raise InvalidInputError("cannot be combined with --watch", field="--dry-run")
    fields = field_names(arguments)
    _note_left_out(arguments)
    share_cores()
    if arguments.watch is None:
        return _once(arguments, fields)
    _watch(arguments, fields)
    return 0


def _once(arguments: argparse.Namespace, fields: FieldNames) -> int:
    from ...search import sync
    from ...search.syncing.report import MAX_REMOVED

    limit = arguments.max_removed
    try:
        with closing(progress_of(arguments)) as progress:
            report = sync(
                arguments.collection,
                arguments.documents,
                configuration(arguments) if is_configured(arguments) else None,
                fields=fields,
                limits=arguments.file_limits,
                strict=arguments.strict,
                max_removed=MAX_REMOVED if limit is None else limit,
                reread=arguments.reread,
                exclude=arguments.exclude,
                dry_run=arguments.dry_run,
                progress=progress,
                encoders=loader_of(arguments),
            )
    except KeyboardInterrupt:
        note(INTERRUPTED)
        raise
    except NoDocumentError as error:
        _write_skipped(arguments, error.problems)
        print_problems(error.problems, error.reasons)
        raise
    _write_skipped(arguments, report.problems)
    if arguments.json:
        print_json(_as_json(report))
    else:
        _print(report)
    return 0


def _watch(arguments: argparse.Namespace, fields: FieldNames) -> None:
    """Sync again and again until SIGINT or SIGTERM.

    After an error in a sync, prints the error and tries again.
    """
    from ...search import Collection, Syncer, SyncOptions
    from ...search.syncing.report import MAX_REMOVED

    limit = arguments.max_removed
    options = SyncOptions(
        fields,
        arguments.file_limits,
        arguments.strict,
        MAX_REMOVED if limit is None else limit,
        arguments.reread,
        arguments.exclude,
    )
    config = configuration(arguments) if is_configured(arguments) else None
    for path in arguments.documents:
        check_path(path)
    with _ended_by_signals():
        encoders = loader_of(arguments)
        with Collection.open_or_create(arguments.collection, config, encoders=encoders) as opened:
            syncer = Syncer(opened, arguments.documents, options)
            seen: str | None = None
            failure: str | None = None
            while True:
                try:
                    picture = syncer.picture()
                    if picture != seen:
                        with closing(progress_of(arguments)) as progress:
                            report = syncer.run(progress)
                        # A file may have changed again in the same tick of its clock.
                        seen = None if report.is_change else picture
                        if report.is_change or failure is not None:
                            _tell(arguments, report)
                        failure = None
                except (TwindexError, OSError, sqlite3.Error) as error:
                    if str(error) != failure:
                        note(f"twindex: error: {error}")
                    failure, seen = str(error), None
                time.sleep(arguments.watch)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Return a context manager. SIGINT and SIGTERM end its block without an error."""

    def end(*_: object) -> None:
        raise KeyboardInterrupt

    earlier = signal.signal(signal.SIGTERM, end)
    try:
        yield
    except KeyboardInterrupt:
        note("twindex: stopped")
    finally:
        signal.signal(signal.SIGTERM, earlier)


def _tell(arguments: argparse.Namespace, report: SyncReport) -> None:
    _write_skipped(arguments, report.problems)
    if arguments.json:
        print(json.dumps(_as_json(report)), flush=True)
    else:
        _print(report)


def _note_left_out(arguments: argparse.Namespace) -> None:
    """Print a note on the files that were found in folders and are not read.

    With `--strict`, raises InvalidInputError instead.
    """
    found = survey(
        (path for path in arguments.documents if path.is_dir()), exclude=arguments.exclude
    )
    if arguments.strict and found.lost:
        message = f"{left_out(found)}; remove these files, or omit --strict"
        raise InvalidInputError(message, field="--documents")
    if found.left_out and not arguments.quiet:
        note(f"twindex: {left_out(found)}")


def _write_skipped(arguments: argparse.Namespace, problems: Sequence[SourceError]) -> None:
    if arguments.skipped is not None:
        skipped = SkippedList(arguments.skipped, arguments.documents, arguments.exclude)
        for error in problems:
            skipped.add(error)


def _print(report: SyncReport) -> None:
    if report.dry_run:
        for kind in ("new", "changed", "removed"):
            for path in getattr(report, kind):
                print(f"{kind:<8} {path}")
    would = "would be " if report.dry_run else ""
    print(
        f"{counted(len(report.new), 'new file')}, {len(report.changed)} changed, "
        f"{len(report.removed)} removed, {report.unchanged + report.reread} unchanged"
        + (f" ({report.reread} of them read again)" if report.reread else "")
    )
    passages = "" if report.dry_run else f" in {counted(report.passages, 'passage')}"
    print(
        f"{counted(report.documents, 'document')} {would}written{passages}, {report.replaced} of "
        f"them replaced; {report.deleted} {would}deleted; {report.seconds:.1f} s",
        flush=True,
    )
    if report.kept:
        print(f"{counted(report.kept, 'document')} kept, because their files cannot be read now")
    if report.usage is not None:
        print(model_usage(report.usage))
    print_skipped(0, report.truncated)
    print_problems(report.problems, report.reasons)


def _as_json(report: SyncReport) -> dict[str, Any]:
    problems = [
        {
            "path": str(error.path),
            "line": error.line,
            "field": error.field,
            "reason": error.reason,
            "message": error.message,
        }
        for error in report.problems
    ]
    return {
        **{name: getattr(report, name) for name in type(report).__dataclass_fields__},
        **{name: list(map(str, getattr(report, name))) for name in ("new", "changed", "removed")},
        "problems": problems,
        "files": files_json(report.files),
    }


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not LEAST_SECONDS <= value <= 86_400:
        message = f"must be a number of seconds from {LEAST_SECONDS:g} to 86400, got {text!r}"
        raise argparse.ArgumentTypeError(message)
    return value


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be a number from 0 to 1, got {text!r}")
    return value
