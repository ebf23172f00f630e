"""Where looks for work begin.

PostgreSQL keeps deleted rows while an older snapshot is held (`pg_dump`, a report, a standby), and a look from the
first row of a lane on goes through all of them. So a look begins where earlier ones have found the first row that is
left. What comes to stand before that, such as an entity whose lease ended, is found by a full look, once a second.
"""

from collections.abc import Iterable, Sequence

import orjson

from bridge.store.lanes import Lane
from bridge.times import SECOND

#: How often to look from the very beginning.
FULL_EVERY = SECOND


class Floors:
    """The floors of one queue: the name of a lane -> the place from which on it is looked at."""

    def __init__(self) -> None:
        self.floors: dict[str, int] = {}
        #: Those that take their place with the next full look: by then no transaction is under way any more that
        #: began before they were found, but for very slow ones.
        self.following: dict[str, int] = {}

    def learn(self, lanes: Iterable[str]) -> None:
        """This process puts something into these lanes: looks need not wait for a full one to know of them."""
        for lane in lanes:
            self.floors.setdefault(lane, 0)

    def rise(self, found: Sequence[Lane], end: int) -> None:
        """A full look has found these lanes. `end`: where whatever is new will stand."""
        names = {*self.floors, *(lane.name for lane in found)}
        self.floors = {name: self.following.get(name, 0) for name in names}
        self.following = dict.fromkeys(names, end) | {lane.name: min(lane.due_at, end) for lane in found}

    def to_json(self) -> str:
        return orjson.dumps([{"lane": lane, "floor": floor} for lane, floor in self.floors.items()]).decode()
