"""How events of a file enter the store: a few at a time, so that webhooks do not wait behind them."""

from collections.abc import Callable, Sequence

from bridge.pipeline.backfill import Made
from bridge.store import Store
from bridge.times import MILLISECOND, SECOND

#: How many events, entities and lookups may be due before more is stored: what a webhook that comes now waits for.
QUEUE = 200
#: How long to wait before looking again whether there is room.
PAUSE = 50 * MILLISECOND
#: What events of a file have as headers.
HEADERS = {"user-agent": "metronome-bridge backfill"}


class Intake:
    """Stores batches; waits while too much is due, or they would come too fast."""

    def __init__(
        self,
        store: Store,
        source: str,
        *,
        clock: Callable[[], int],
        sleep: Callable[[float], None],
        queue: int = QUEUE,
        rate: float = 0,
        waiting: Callable[[], None] = lambda: None,
    ) -> None:
        """`queue`, and `rate` in events a second: 0 is no limit. `waiting` is called again and again while it waits."""
        self.store = store
        self.source = source
        self.clock = clock
        self.sleep = sleep
        self.queue = queue
        self.rate = rate
        self.waiting = waiting
        self.next_at = 0

    def take(self, made: Sequence[Made]) -> int:
        """On disk when this returns. How many were new. Raises StoreError."""
        self.keep_rate(len(made))
        while self.queue and self.store.backlog.count(self.clock()) >= self.queue:
            self.waiting()
            self.sleep(PAUSE / SECOND)
        new = self.store.events.add(self.source, [one.event for one in made], HEADERS, self.clock())
        if new:
            self.store.signal.announce()
        return new

    def keep_rate(self, events: int) -> None:
        if not self.rate:
            return
        now = self.clock()
        if self.next_at > now:
            self.sleep((self.next_at - now) / SECOND)
        self.next_at = max(self.next_at, now) + round(events / self.rate * SECOND)
