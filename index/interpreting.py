"""Kernels (functions that `compiling` can compile) that Python interprets at first.

Importing the compiler and loading machine code takes about half a second of CPU, and compiling for
the first time on a machine takes seconds. A program that searches once should wait for neither. So
a process interprets these kernels until all of them together have taken `STEPS` steps. A step takes
about half a microsecond, so this costs about as much as loading does. Then each kernel is compiled
at its next call. Interpreted and compiled kernels return results that are equal to the last bit,
because they do the same operations on the same types in the same order.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Generic, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

STEPS = 400_000
"""Steps that a process interprets. A step takes about half a microsecond."""


class _Allowance:
    """The number of steps that this process may still interpret.

    Threads change it without a lock, so the number may be slightly wrong.
    """

    def __init__(self) -> None:
        self.left = STEPS

    def take(self, steps: int) -> bool:
        """Subtract `steps` and return True, or return False if fewer steps are left."""
        if steps > self.left:
            return False
        self.left -= steps
        return True


_ALLOWANCE = _Allowance()


def compile_always() -> None:
    """Interpret no kernel from now on. A server calls this before its first query."""
    _ALLOWANCE.left = -1


class InterpretedFirst(Generic[P, R]):
    """A function that is interpreted at first, and later compiled by `compiling.kernel`.

    See the module docstring.
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

    steps: takes the arguments of the function and estimates the number of steps of the call.
    """
    return lambda function: InterpretedFirst(function, steps)


@cache
def _tell_compiler() -> None:
    """Teach Numba that an `InterpretedFirst` stands for its compiled function.

    Compiled kernels can then call it.
    """
    from numba import types
    from numba.extending import typeof_impl

    @typeof_impl.register(InterpretedFirst)
    def _(kernel: InterpretedFirst[Any, Any], context: Any) -> Any:
        return types.Dispatcher(kernel.compiled)
