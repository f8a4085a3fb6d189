"""The history of a value that several clients write and read: can an order explain all replies?"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

ABSENT = "absent"


@dataclass(slots=True)
class Op:
    """One operation on one value, such as the text of a document.

    value:    written or read; ABSENT: deleted or not found.
    existed:  True if the value existed before, as the reply says; None if it does not say.
    end:      time of the reply; for a lost reply, the time after which it cannot take effect.
    optional: the operation may have had no effect.
    queued:   a job runs the operation, and survives the server.
    """

    kind: str
    value: str
    start: float
    end: float = inf
    existed: bool | None = None
    optional: bool = False
    queued: bool = False


def linearizable(initial: str, ops: list[Op]) -> bool:
    """Return True if an order of the operations, within real time, explains every reply."""
    seen: set[tuple[int, str]] = set()

    def advance(done: int, state: str, latest: float) -> bool:
        left = [i for i in range(len(ops)) if not done >> i & 1]
        if all(ops[i].optional for i in left):
            return True
        if (done, state) in seen:
            return False
        seen.add((done, state))
        bound = min(ops[i].end for i in left if not ops[i].optional)
        for i in left:
            op = ops[i]
            if op.start > bound or op.end < latest:
                continue
            if op.kind == "read" and op.value != state:
                continue
            if op.existed is not None and op.existed != (state != ABSENT):
                continue
            after = state if op.kind == "read" else op.value
            if advance(done | 1 << i, after, max(latest, op.start)):
                return True
        return False

    return advance(0, initial, -inf)
