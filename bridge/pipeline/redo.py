"""What operators do about events: replay them through the current mapping, or give them up."""

from collections.abc import Callable, Iterable, Sequence

from bridge.store import Store

#: Events that are dealt with in one transaction.
STEP = 500

#: Passes steps on, and may show how far they are.
Watch = Callable[[Sequence[Sequence[int]]], Iterable[Sequence[int]]]


def replay(store: Store, numbers: Sequence[int], watch: Watch = iter) -> int:
    """Have events translated again, each with its own time. How many there were of these numbers."""
    done = sum(store.events.replay(step) for step in watch(steps(numbers)))
    store.signal.announce()
    return done


def drop(store: Store, numbers: Sequence[int], watch: Watch = iter) -> int:
    """Give up what failed, was refused or is parked of events. How many had such."""
    return sum(store.letters.drop(step) for step in watch(steps(numbers)))


def steps(numbers: Sequence[int]) -> list[Sequence[int]]:
    return [numbers[start : start + STEP] for start in range(0, len(numbers), STEP)]
