"""The loop: translate what was received, then hand entities and references that are due to a few threads."""

import queue
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Protocol

import structlog

from bridge.errors import StoreError
from bridge.model import StoredEvent
from bridge.pipeline.deliver import Deliverer
from bridge.pipeline.gatekeeper import Gatekeeper
from bridge.pipeline.janitor import Janitor
from bridge.pipeline.resolve import Resolver
from bridge.store import Store
from bridge.store.entities import Claim
from bridge.store.events import Translated
from bridge.store.glance import Glance
from bridge.store.references import Question
from bridge.times import SECOND

log = structlog.get_logger()

#: Events that are translated in one transaction.
BATCH = 100
#: How long to rest at most. A signal ends it earlier; a missed one is made good by it.
LONGEST_PAUSE = SECOND
#: How long to leave a database alone that does not answer.
STORE_PAUSE_SECONDS = 1.0

#: While webhooks crowd in, deliveries of the same process stand back: so many at a time, and a pause before each look.
#: What waits meanwhile is folded, and takes fewer calls.
STANDING_BACK_THREADS = 2
STANDING_BACK_SECONDS = 0.2

Job = Claim | Question


class SharedClock(Protocol):
    """Microseconds, by a clock that is set by the one that all replicas share."""

    def __call__(self) -> int: ...

    def follow(self, now: int) -> None: ...


class Worker:
    """One dispatcher thread, `threads` delivery threads, and a janitor's. Claims last for `lease_for` microseconds."""

    def __init__(
        self,
        store: Store,
        *,
        translate: Callable[[StoredEvent], Translated],
        deliverer: Deliverer,
        resolver: Resolver,
        gatekeeper: Gatekeeper,
        clock: SharedClock,
        new_lease: Callable[[], str],
        lease_for: int,
        threads: int,
        janitor: Janitor | None = None,
        crowded: Callable[[], bool] = lambda: False,
    ) -> None:
        """`crowded`: whether others in this process have more urgent things to do."""
        self.store = store
        self.translate = translate
        self.deliverer = deliverer
        self.resolver = resolver
        self.gatekeeper = gatekeeper
        self.clock = clock
        self.new_lease = new_lease
        self.lease_for = lease_for
        self.threads = threads
        self.janitor = janitor
        self.crowded = crowded
        self.jobs: queue.SimpleQueue[tuple[Job, bool] | None] = queue.SimpleQueue()
        self.lock = threading.Lock()
        self.taken = 0
        self.stopping = threading.Event()
        self.running: list[threading.Thread] = []

    def start(self) -> None:
        self.store.signal.listen()
        names = {"dispatcher": self.dispatch, **{f"delivery-{n + 1}": self.work for n in range(self.threads)}}
        if self.janitor:
            names["janitor"] = partial(self.janitor.run, self.stopping.wait)
        self.running = [
            threading.Thread(target=target, name=f"bridge-{name}", daemon=True) for name, target in names.items()
        ]
        for thread in self.running:
            thread.start()

    def stop(self, seconds: float) -> bool:
        """Begin nothing new, finish what is in flight, give the rest back. False if that took longer than `seconds`."""
        self.stopping.set()
        self.store.signal.notify()
        deadline = self.clock() + round(seconds * SECOND)
        for thread in self.running:
            thread.join(max(0.0, (deadline - self.clock()) / SECOND))
        return not any(thread.is_alive() for thread in self.running)

    def dispatch(self) -> None:
        while not self.stopping.is_set():
            try:
                if self.crowded():
                    self.stopping.wait(STANDING_BACK_SECONDS)
                if pause := self.step():
                    self.store.signal.wait(pause / SECOND)
            except StoreError as error:
                log.warning("store unavailable", error=str(error))
                self.stopping.wait(STORE_PAUSE_SECONDS)
            except Exception:
                log.exception("dispatcher failed")
                self.stopping.wait(STORE_PAUSE_SECONDS)
        for _ in range(self.threads):
            self.jobs.put(None)

    def step(self) -> int:
        """Do what can be done now. For how many microseconds there is nothing more to do, if no signal comes."""
        seen = self.look()
        if seen.received:
            self.store.events.translate(self.translate, BATCH, seen.now, first=seen.floors.event)
            # What came of them is due now. Whatever else may be is seen in the next step, which follows at once.
            seen = replace(seen, entity_due=seen.now)
        wait = self.submit(seen)
        return 0 if seen.received else min(wait, LONGEST_PAUSE)

    def look(self) -> Glance:
        now = self.clock()
        seen = self.store.glance(now)
        if seen.now != now:
            self.clock.follow(seen.now)
        return seen

    def submit(self, seen: Glance) -> int:
        """Claim no more than there are threads for, so that nothing waits under a lease. When to look again."""
        due = seen.next_due()
        if due is None or due > seen.now:
            return LONGEST_PAUSE if due is None else due - seen.now
        free = (STANDING_BACK_THREADS if self.crowded() else self.threads) - self.taken
        if free <= 0:
            return LONGEST_PAUSE
        admission = self.gatekeeper.admit(seen.gate, free)
        jobs = self.claim(seen, admission.granted)
        if unused := admission.granted - len(jobs):
            self.gatekeeper.give_back(unused)
        with self.lock:
            self.taken += len(jobs)
        for job in jobs:
            self.jobs.put((job, admission.counted))
        return admission.wait or LONGEST_PAUSE

    def claim(self, seen: Glance, most: int) -> list[Job]:
        lease, until = self.new_lease(), seen.now + self.lease_for
        jobs: list[Job] = []
        if most and seen.reference_due is not None and seen.reference_due <= seen.now:
            jobs += self.store.references.claim(lease, most, seen.now, until, since=seen.floors.reference)
        if most > len(jobs) and seen.entity_due is not None and seen.entity_due <= seen.now:
            left, floor = most - len(jobs), seen.floors.entity
            jobs += self.store.entities.claim(lease, left, seen.now, until, since=floor)
        return jobs

    def work(self) -> None:
        while (taken := self.jobs.get()) is not None:
            job, counted = taken
            healthy = False
            try:
                healthy = self.do(job, counted=counted)
            except StoreError as error:
                # The lease ends by itself, and the job is done again.
                log.warning("store unavailable", error=str(error))
            except Exception:
                log.exception("job failed", job=type(job).__name__)
            finally:
                self.finish(counted=counted, healthy=healthy)

    def do(self, job: Job, *, counted: bool) -> bool:
        """Whether Metronome answered as it should."""
        if self.stopping.is_set():
            self.release(job)
            return False
        if isinstance(job, Claim):
            return self.deliverer.deliver(job, counted=counted)
        return self.resolver.resolve(job, counted=counted)

    def finish(self, *, counted: bool, healthy: bool) -> None:
        try:
            if counted:
                self.gatekeeper.finish(healthy=healthy)
        except StoreError as error:
            # The place at the gate is free again when permits end.
            log.warning("store unavailable", error=str(error))
        with self.lock:
            self.taken -= 1
        self.store.signal.notify()

    def release(self, job: Job) -> None:
        """Give back what was claimed but not begun."""
        if isinstance(job, Claim):
            self.store.entities.release(job)
        else:
            self.store.references.release(job)
