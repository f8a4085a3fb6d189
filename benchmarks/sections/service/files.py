"""The section of service/files.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sections.markdown import counted, listed, part, percent, table, whole

TITLE = "Reading files"
_KINDS = {"pdf": "PDF", "html": "HTML"}
_PEERS = {"pypdf": "PDF", "markdownify": "HTML"}


def section(figures: dict[str, Any]) -> Iterator[str]:
    yield (
        "Real files of Debian's documentation packages, read one after the other by one process. A "
        "web page counts as one page. Peak memory is that of the process that converts files."
    )
    yield table(
        ["", "files", "MB", "pages", "pages/s", "slowest file, s", "peak MB", "without a document"],
        [
            [
                name,
                whole(figures[kind]["files"]),
                whole(figures[kind]["megabytes"]),
                whole(figures[kind]["pages"]),
                whole(figures[kind]["pages_per_second"]),
                part(figures[kind]["slowest_file_seconds"], 1),
                whole(figures[kind]["peak_mb"]),
                _failures(figures[kind]["failures"]),
            ]
            for kind, name in _KINDS.items()
        ],
    )
    lost = sum(figures[kind]["unaccounted"] for kind in _KINDS)
    yield (
        f"Files with neither a document nor a reason: {lost}. Peak memory of the process that "
        f"reads the documents: {whole(figures['process_peak_mb'])} MB."
    )
    yield (
        "Peers on a part of the same files, in the same run. The last columns are the share of one "
        "side's words that the other side's text has too. Twindex leaves out navigation."
    )
    yield table(
        [
            "peer",
            "files",
            "pages",
            "Twindex, pages/s",
            "peer, pages/s",
            "ratio",
            "peer's words found by Twindex",
            "Twindex's words found by the peer",
        ],
        [
            [
                f"{peer} ({kind})",
                whole(figures[peer]["files"]),
                whole(figures[peer]["pages"]),
                whole(figures[peer]["pages_per_second"]),
                whole(figures[peer]["peer_pages_per_second"]),
                part(figures[peer]["speedup"], 1),
                percent(figures[peer]["peer_words_found"], 1),
                percent(figures[peer]["words_found_by_peer"], 1),
            ]
            for peer, kind in _PEERS.items()
        ],
    )


def _failures(reasons: dict[str, int]) -> str:
    return listed([f"{counted(number, 'file')} {why}" for why, number in reasons.items()]) or "none"
