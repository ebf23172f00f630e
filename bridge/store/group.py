"""Callers who come at the same time share one transaction, and so one wait for the disk."""

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Place(Generic[Item, Result]):
    """One caller in the line."""

    def __init__(self, item: Item) -> None:
        self.item = item
        #: Held until the place is served, or is the one to serve. An Event says the same at several times the cost.
        self.waits = threading.Lock()
        self.waits.acquire()
        self.result: Result | None = None
        self.error: Exception | None = None
        self.served = False


class Group(Generic[Item, Result]):
    """Whoever finds nobody at work serves all that wait. Who comes meanwhile waits; one of them is next to serve."""

    def __init__(self, serve: Callable[[Sequence[Item]], Sequence[Result]]) -> None:
        """`serve` gives one result for each item, in their order, or raises for all of them."""
        self.serve = serve
        self.lock = threading.Lock()
        self.line: list[Place[Item, Result]] = []
        self.busy = False

    def do(self, item: Item) -> Result:
        place: Place[Item, Result] = Place(item)
        with self.lock:
            self.line.append(place)
            leads = not self.busy
            self.busy = True
        if not leads:
            place.waits.acquire()
        if not place.served:
            self.lead(place)
        if place.error is not None:
            raise place.error
        return place.result  # type: ignore[return-value]

    def lead(self, leader: Place[Item, Result]) -> None:
        """Serve everybody in the line, the leader too, and call the next leader."""
        with self.lock:
            places, self.line = self.line, []
        try:
            results = self.serve([place.item for place in places])
            for place, result in zip(places, results, strict=True):
                place.result = result
        except Exception as error:  # noqa: BLE001
            for place in places:
                place.error = error
        with self.lock:
            self.busy = bool(self.line)
            if self.line:
                self.line[0].waits.release()
        for place in places:
            place.served = True
            if place is not leader:
                place.waits.release()
