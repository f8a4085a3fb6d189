"""What of some files and folders is read, and what is left out, by kind and reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .folder import HIDDEN, walk


@dataclass(frozen=True, slots=True)
class Survey:
    """Files by kind, which is the suffix in lower case ("none" without one).

    read:     kind -> files.
    left_out: reason -> kind -> files and folders.
    examples: a few paths that are left out and are not hidden.
    """

    read: Mapping[str, int]
    left_out: Mapping[str, Mapping[str, int]]
    examples: tuple[Path, ...]

    @property
    def lost(self) -> int:
        """How many are left out, hidden ones not counted."""
        return sum(sum(kinds.values()) for why, kinds in self.left_out.items() if why != HIDDEN)


def survey(paths: Iterable[Path], *, examples: int = 3) -> Survey:
    """Look at the names below the folders of `paths`; files among them are read."""
    read: Counter[str] = Counter()
    left_out: dict[str, Counter[str]] = {}
    shown: list[Path] = []
    for path in paths:
        for found, reason in walk(path) if path.is_dir() else [(path, None)]:
            if reason is None:
                read[_kind(found)] += 1
            else:
                left_out.setdefault(reason, Counter())[_kind(found)] += 1
                if reason != HIDDEN:
                    shown.append(found)
                    shown = sorted(shown)[:examples]
    return Survey(
        dict(read.most_common()),
        {reason: dict(kinds.most_common()) for reason, kinds in sorted(left_out.items())},
        tuple(shown),
    )


def _kind(path: Path) -> str:
    return path.suffix.lower() or "none"
