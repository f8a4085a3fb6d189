"""Kernels that are interpreted while there is little to compute.

Importing the compiler and loading machine code takes about half a second of CPU, and compiling for
the first time on a machine takes seconds. A program that searches once should wait for neither. So
a process interprets these kernels until they have taken `STEPS` steps together, which costs about
as much as loading does; then each is compiled at its next call. Results are equal to the last bit,
since both ways do the same operations on the same types in the same order.
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
    """Steps that this process may still interpret. Races between threads cost only exactness."""

    def __init__(self) -> None:
        self.left = STEPS

    def take(self, steps: int) -> bool:
        """Return True, and subtract the steps, if they are left."""
        if steps > self.left:
            return False
        self.left -= steps
        return True


_ALLOWANCE = _Allowance()


def compile_always() -> None:
    """Interpret nothing from now on: a server compiles before its first query."""
    _ALLOWANCE.left = -1


class InterpretedFirst(Generic[P, R]):
    """A kernel of `compiling.kernel` that is interpreted at first. See the module."""

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
        """The compiled function. The first use imports the compiler."""
        if self._compiled is None:
            from .compiling import kernel

            _tell_compiler()
            self._compiled = kernel(self.function)
        return self._compiled


def interpreted_first(
    steps: Callable[P, int],
) -> Callable[[Callable[P, R]], InterpretedFirst[P, R]]:
    """Return a decorator for a kernel. `steps` estimates from its arguments how many it takes."""
    return lambda function: InterpretedFirst(function, steps)


@cache
def _tell_compiler() -> None:
    """Make the compiler treat a kernel that another calls as the compiled function."""
    from numba import types
    from numba.extending import typeof_impl

    @typeof_impl.register(InterpretedFirst)
    def _(kernel: InterpretedFirst[Any, Any], context: Any) -> Any:
        return types.Dispatcher(kernel.compiled)
