"""A power loss after any file operation loses no acknowledged write.

A real process changes a collection while a shim records its file operations. A model of a disk
(`operations.py`) then drops and tears writes that were not synced. The collection is opened from
the result.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from twindex.core import NotFoundError

from .operations import Disk, materialise, read_log
from .workload import apply, problems


def losses(root: Path, log: Path, folder: Path, trials: int, seed: int) -> list[str]:
    """Return the problems after each of `trials` power losses at random moments."""
    operations = read_log(log)
    random = Random(seed)
    moments = sorted(random.randrange(len(operations)) for _ in range(trials))
    disk = Disk()
    state: dict[str, set[int | None]] = {}
    created = False
    done = 0
    wrong = []
    for trial, moment in enumerate(moments):
        for operation in operations[done : moment + 1]:
            if operation.path.endswith(".ack"):
                if operation.kind == "w":
                    line = operation.data.decode().strip()
                    created = created or line.startswith("done create")
                    apply([line], state)
            else:
                disk.apply(operation)
        done = moment + 1
        found = folder / str(trial)
        materialise(list(disk.after_power_loss(random)), str(root), found)
        try:
            wrong += [f"after operation {moment}: {problem}" for problem in problems(found, state)]
        except NotFoundError as error:
            if created:
                wrong.append(f"after operation {moment}: {error}")
        except Exception as error:  # noqa: BLE001 - the control can damage anything
            wrong.append(f"after operation {moment}: {type(error).__name__}: {error}")
    return wrong


@pytest.mark.parametrize(
    ("seeds", "steps", "trials"),
    [
        pytest.param(1, 40, 25, id="short"),
        pytest.param(10, 80, 200, id="long", marks=pytest.mark.slow),
    ],
)
@pytest.mark.timeout(3_000)
def test_nothing_acknowledged_is_lost(run_watched, tmp_path, seeds, steps, trials):
    for seed in range(seeds):
        root, log = tmp_path / f"c{seed}", tmp_path / f"log{seed}"
        run_watched("record", root, log, seed, steps, "full")
        assert losses(root, log, tmp_path / f"lost{seed}", trials, seed) == []


@pytest.mark.slow
def test_control_acknowledged_writes_are_lost_without_syncs(run_watched, tmp_path):
    """The same trials fail if SQLite does not wait for the disk."""
    root, log = tmp_path / "c", tmp_path / "log"
    run_watched("record", root, log, 0, 40, "off")
    wrong = losses(root, log, tmp_path / "lost", 60, 0)
    lost = ("allowed", "acknowledged writes are missing")
    assert any(words in problem for problem in wrong for words in lost)
