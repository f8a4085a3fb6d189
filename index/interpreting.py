"""Kernels: numerical functions that Python interprets at first and Numba compiles later.

Importing the compiler and loading machine code takes about half a second of CPU, and compiling for
the first time on a machine takes seconds. A program that searches once should wait for neither. So
a process interprets these kernels until they have taken `STEPS` steps together. A step is about
half a microsecond of interpretation, so all steps cost about as much as loading the compiler does.
After that, each kernel is compiled at its next call. Interpreted and compiled kernels return equal
results to the last bit, because they do the same operations on the same types in the same order.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Generic, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

STEPS = 400_000
"""Number of steps that a process interprets before it compiles. A step takes about 0.5 us."""


class _Allowance:
    """The number of steps that this process may still interpret.

    Threads change it without a lock, so the number may be slightly wrong.
    """

    def __init__(self) -> None:
        self.left = STEPS

    def take(self, steps: int) -> bool:
        """Subtract `steps` and return True. If fewer steps are left, only return False."""
        if steps > self.left:
            return False
        self.left -= steps
        return True


_ALLOWANCE = _Allowance()


def compile_always() -> None:
    """From now on, compile each kernel at its first call. A server calls this at its start."""
    _ALLOWANCE.left = -1


class InterpretedFirst(Generic[P, R]):
    """A function that is interpreted at first, and later compiled by `compiling.kernel`.

    A process interprets at most `STEPS` steps of all such functions together. After that, each
    function is compiled at its next call.
    """

    def __init__(self, function: Callable[P, R], steps: Callable[P, int]) -> None:
        self.function = function
        self._steps = steps
        self._compiled: Callable[P, R] | None = None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        if self._compiled is not None:
            return self._compiled(*args, **kwargs)
        if _ALLOWANCE.take(self._steps(*args, **kwargs)):
            return self.function(*args, **kwargs)
        return self.compiled(*args, **kwargs)

    @property
    def compiled(self) -> Callable[P, R]:
        """The compiled function. The first access imports the compiler."""
        if self._compiled is None:
            from .compiling import kernel

            _tell_compiler()
            self._compiled = kernel(self.function)
        return self._compiled


def interpreted_first(
    steps: Callable[P, int],
) -> Callable[[Callable[P, R]], InterpretedFirst[P, R]]:
    """Return a decorator that makes a function an `InterpretedFirst`.

    steps: function that receives the arguments of a call and estimates its number of steps. A step
        is about 0.5 us of interpretation.
    """
    return lambda function: InterpretedFirst(function, steps)


@cache
def _tell_compiler() -> None:
    """Register `InterpretedFirst` with Numba, so that compiled kernels can call such functions."""
    from numba import types
    from numba.extending import typeof_impl

    @typeof_impl.register(InterpretedFirst)
    def _(kernel: InterpretedFirst[Any, Any], context: Any) -> Any:
        return types.Dispatcher(kernel.compiled)
