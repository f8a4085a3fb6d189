"""The section of service/trials.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sections.markdown import whole

TITLE = "Trials of promises"


def section(figures: dict[str, Any]) -> Iterator[str]:
    yield (
        "`make nightly` runs these trials. A number below is what the last kept run tried; a trial "
        "that finds a violation fails."
    )
    kills = figures["kills"]
    yield (
        f"**Kills.** A server was killed {whole(kills['kills'])} times at random moments while "
        "clients wrote, deleted, searched and administered. Of "
        f"{whole(kills['writes'])} acknowledged writes, {whole(kills['lost'])} were lost; of "
        f"{whole(kills['deletions'])} acknowledged deletions, {whole(kills['undone'])} were "
        f"undone. {whole(kills['interrupted_jobs'])} jobs were interrupted and continued "
        "(`tests/api/faults/test_kills.py`)."
    )
    cases = figures["cases"]
    yield (
        f"**Generated requests.** {whole(cases['cases'])} requests of all operations of the "
        "OpenAPI document, without keys and with keys of several scopes: no server "
        "error, and no undocumented status, content type or body "
        "(`tests/api/http/test_openapi_cases.py`)."
    )
    isolation = figures["isolation"]
    yield (
        f"**Isolation.** {whole(isolation['requests'])} random requests of "
        f"{whole(isolation['kinds'])} kinds, by keys with forced and signed filters: nothing of a "
        "document outside a filter was in a reply, and no such document was changed "
        "(`tests/api/access/test_isolation.py`)."
    )
    minutes = whole(sum(one["minutes"] for one in figures.values()))
    yield f"These tests took {minutes} minutes together."
