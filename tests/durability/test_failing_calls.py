"""If any file operation fails, no acknowledged write is lost, and later writes work.

For every n, the n-th operation of a kind fails in a real process: alone, or with all later ones, as
on a full or broken disk. Then the disk works again.
"""

from __future__ import annotations

import errno

import pytest

from .shim import KINDS

SHORT = [
    ("write", errno.ENOSPC, "rest", 10, 27),
    ("sync", errno.EIO, "one", 10, 5),
    ("open,mkdir", errno.ENOSPC, "rest", 10, 5),
]
LONG = [
    (kinds, error, each)
    for kinds in ("write", "sync", "open", "mkdir", "truncate", "unlink", "rename")
    for error in (errno.ENOSPC, errno.EIO)
    for each in ("one", "rest")
]


@pytest.mark.parametrize(
    ("kinds", "error", "each", "steps", "every"),
    [
        *(pytest.param(*case, id="-".join(map(str, case))) for case in SHORT),
        *(
            pytest.param(
                *case, 40, 1, id="long-" + "-".join(map(str, case)), marks=pytest.mark.slow
            )
            for case in LONG
        ),
    ],
)
@pytest.mark.timeout(3_000)
def test_a_failing_operation_loses_nothing(run_watched, tmp_path, kinds, error, each, steps, every):
    mask = sum(KINDS[kind] for kind in kinds.split(","))
    lines = run_watched("fail", tmp_path / "c", mask, error, each, 3, steps, every).splitlines()
    trials = int(lines.pop().removeprefix("operations "))
    assert trials > 0 or kinds == "rename"  # The store renames no files today.
    assert [line for line in lines if not line.endswith(": unnoticed")] == []
