"""How much work the rules of one event may be: so that one event cannot hold up all others.

Rules run on one thread each, and nothing can end a thread from outside. So whatever loops says how many steps it is
about to take, and the limit looks at the clock every few of them.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bridge.errors import BridgeError

#: How many steps are taken between two looks at the clock. A step is about an element of a list, or a call.
STEPS = 64


class TooMuchWorkError(BridgeError):
    """The rules of one event take too long, or make too many changes. It fails as a whole."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the rules of one event may use. 0: any amount."""

    #: Seconds of this thread's processor time: a busy machine makes no event fail.
    seconds: float = 0
    changes: int = 0


class Budget:
    def __init__(self, limits: Limits, clock: Callable[[], int]) -> None:
        """`clock`: nanoseconds of processor time."""
        self.limits = limits
        self.clock = clock
        self.end = clock() + round(limits.seconds * 1e9) if limits.seconds else None
        self.steps = 0

    def spend(self, steps: int) -> None:
        self.steps += steps
        if self.steps >= STEPS:
            self.steps = 0
            if self.end is not None and self.clock() > self.end:
                raise TooMuchWorkError(
                    f"its rules take longer than {self.limits.seconds:g} seconds: make them simpler, for instance"
                    " without a search through a list for each element of another, or see BRIDGE_RULES_SECONDS"
                )

    def made(self, changes: int) -> None:
        if 0 < self.limits.changes < changes:
            raise TooMuchWorkError(
                f"its rules make more than {self.limits.changes} changes: use a narrower for_each or when,"
                " or see BRIDGE_RULES_CHANGES"
            )


class _Local(threading.local):
    budget: Budget | None = None


_local = _Local()


@contextmanager
def limited(limits: Limits, clock: Callable[[], int]) -> Iterator[None]:
    """Within the block, `spend` and `made` raise TooMuchWorkError on this thread once the limits are exceeded."""
    _local.budget = Budget(limits, clock)
    try:
        yield
    finally:
        _local.budget = None


def spend(steps: int) -> None:
    """Account for steps that are about to be taken. Raises TooMuchWorkError."""
    budget = _local.budget
    if budget is not None:
        budget.spend(steps)


def made(changes: int) -> None:
    """Account for the changes that an event has so far. Raises TooMuchWorkError."""
    budget = _local.budget
    if budget is not None:
        budget.made(changes)
