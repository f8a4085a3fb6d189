"""Full disks, used-up inodes and read-only mounts: snapshots and restorations fail cleanly."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path

import pytest

from twindex.core import ConflictError, StorageError
from twindex.search import Collection, reembed

from .test_snapshots import CONFIG, state

Mount = Callable[[str], Path]


@contextmanager
def mounted(path: Path, options: str) -> Iterator[Path]:
    """Mount a small file system in memory at `path`, with options such as `size=1m`."""
    if os.getuid() != 0:
        pytest.skip("only root can mount a file system")
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("the command mount is not installed")
    if done.returncode:
        pytest.skip(f"a file system cannot be mounted here: {done.stderr.strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    """A function that mounts a file system with the given options."""
    with ExitStack() as stack:
        numbers = count()
        yield lambda options: stack.enter_context(
            mounted(tmp_path / f"mount{next(numbers)}", options)
        )


@pytest.fixture
def birds(tmp_path: Path) -> Iterator[Collection]:
    with Collection.create(tmp_path / "birds", CONFIG) as collection:
        collection.add({"id": f"n{i}", "text": f"bird {i} " * 20} for i in range(120))
        yield collection


def remount(path: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(path)], check=True)


def test_a_snapshot_on_a_full_disk_fails_and_succeeds_after_space_is_free(birds, mount):
    disk = mount("size=120k")
    with pytest.raises(StorageError):
        birds.snapshot(disk / "t")
    assert os.listdir(disk / "t") == []
    remount(disk, "size=50m")
    assert birds.snapshot(disk / "t").documents == 120


def test_a_snapshot_without_free_inodes_fails_and_leaves_nothing(birds, mount):
    disk = mount("size=50m,nr_inodes=4")
    with pytest.raises(StorageError):
        birds.snapshot(disk / "t")
    with suppress(FileNotFoundError):
        assert os.listdir(disk / "t") == []


def test_a_restoration_on_a_full_disk_leaves_no_collection(birds, mount, tmp_path):
    birds.snapshot(tmp_path / "t")
    disk = mount("size=120k")
    with pytest.raises(StorageError):
        Collection.restore(tmp_path / "t", disk / "copy")
    assert os.listdir(disk) == []
    remount(disk, "size=50m")
    Collection.restore(tmp_path / "t", disk / "copy")
    assert state(birds) == state_of(disk / "copy")


def test_a_read_only_mount_refuses_snapshots_and_can_be_copied_from(birds, mount, tmp_path):
    disk = mount("size=50m")
    birds.snapshot(disk / "t")
    Collection.restore(disk / "t", disk / "c")
    remount(disk, "ro")
    with pytest.raises(StorageError):
        birds.snapshot(disk / "t")
    assert len(Collection.snapshots(disk / "t")) == 1
    with Collection.open(disk / "c", read_only=True) as reader:
        assert reader.snapshot(tmp_path / "t").documents == 120
    with pytest.raises((StorageError, ConflictError)):
        reembed(disk / "c", CONFIG.model_copy(update={"legs": {"lexical": CONFIG.legs["lexical"]}}))
    remount(disk, "rw")


def test_a_reembedding_on_a_full_disk_keeps_the_collection_and_continues(birds, mount, tmp_path):
    birds.snapshot(tmp_path / "t")
    disk = mount("size=50m")
    Collection.restore(tmp_path / "t", disk / "c")
    used = sum(path.stat().st_blocks * 512 for path in disk.rglob("*"))
    remount(disk, f"size={used // 1024 + 60}k")
    wanted = CONFIG.model_copy(update={"legs": {"lexical": CONFIG.legs["lexical"]}})
    with pytest.raises(StorageError):
        reembed(disk / "c", wanted)
    remount(disk, "size=80m")
    assert state_of(disk / "c") == state(birds)
    assert reembed(disk / "c", wanted).documents == 120
    assert state_of(disk / "c") == state(birds)


def state_of(path: Path) -> dict[str, str]:
    with Collection.open(path) as collection:
        assert collection.verify() == []
        return state(collection)
