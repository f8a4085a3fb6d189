"""The searches of several workers, to which the worker that writes gives way."""

from __future__ import annotations

from time import monotonic_ns, process_time_ns

from ....search.encoding.courtesy import LINGER_SECONDS
from .workers import Place

_SECOND = 10**9


class SearchingWorkers:
    """The other workers of a server, as `Peers` of the writers of this one.

    The clock of times is one that all processes share.

    place: place of this worker.
    """

    def __init__(self, place: Place) -> None:
        self._board = place.board
        self._number = place.number
        self._others = [number for number in place.board.numbers if number != place.number]
        # The process that this one replaces has used time, too.
        self._before = place.board.spent(place.number)

    def note(self, searches: int) -> None:
        """Let the other workers know how many searches run in this one."""
        spent = self._before + process_time_ns()
        self._board.search(self._number, searches, monotonic_ns(), spent)

    def busy(self) -> bool:
        """Return True while searches run in another worker, and shortly after."""
        latest = monotonic_ns() - LINGER_SECONDS * _SECOND
        board = self._board
        return any(board.searches(n) > 0 or board.searched(n) > latest for n in self._others)

    def spent(self) -> float:
        """Return the processor seconds of the other workers, up to the latest search of each."""
        return sum(map(self._board.spent, self._others)) / _SECOND
