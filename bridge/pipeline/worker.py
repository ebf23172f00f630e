"""The loops: what is received becomes changes, and what is due is handed to a few threads that call Metronome."""

import queue
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import structlog

from bridge.errors import StoreError
from bridge.gates import Endpoint
from bridge.pipeline.deliver import Deliverer
from bridge.pipeline.gate import Held
from bridge.pipeline.gatekeeper import Gatekeeper
from bridge.pipeline.janitor import REST_SECONDS, Janitor
from bridge.pipeline.resolve import Resolver
from bridge.pipeline.translator import BUSY_PAUSE_SECONDS, LONGEST_REST_SECONDS, Translator
from bridge.store import Store
from bridge.store.entities import Claim
from bridge.store.glance import Glance
from bridge.store.lanes import LOOKUPS, Lane, lookup_endpoint, turn
from bridge.store.references import Question
from bridge.supervisor import Supervisor
from bridge.times import MINUTE, SECOND

log = structlog.get_logger()

#: How long to rest at most. A signal ends it earlier; a missed one is made good by it.
LONGEST_PAUSE = SECOND
#: How long to leave a database alone that does not answer.
STORE_PAUSE_SECONDS = 1.0

#: Backpressure: while webhooks are busy, this process delivers with fewer threads and looks for work less often.
#: What waits meanwhile is folded, and takes fewer calls.
BUSY_THREADS = 2

#: How often to look for waits that come from a clock that was wrong.
CORRECT_EVERY = MINUTE

Job = Claim | Question


class SharedClock(Protocol):
    """Microseconds, by a clock that is set by the one that all replicas share."""

    def __call__(self) -> int: ...

    def follow(self, now: int) -> None: ...


class Worker:
    """Threads: a dispatcher, a translator, a janitor and `threads` for calls. Claims last `lease_for` microseconds."""

    def __init__(
        self,
        store: Store,
        *,
        translator: Translator,
        deliverer: Deliverer,
        resolver: Resolver,
        gatekeeper: Gatekeeper,
        clock: SharedClock,
        new_lease: Callable[[], str],
        lease_for: int,
        threads: int,
        janitor: Janitor | None = None,
        crowded: Callable[[], bool] = lambda: False,
        supervisor: Supervisor | None = None,
    ) -> None:
        """`crowded`: returns whether webhooks keep this process busy."""
        self.store = store
        self.translator = translator
        self.deliverer = deliverer
        self.resolver = resolver
        self.gatekeeper = gatekeeper
        self.clock = clock
        self.new_lease = new_lease
        self.lease_for = lease_for
        self.threads = threads
        self.janitor = janitor
        self.crowded = crowded
        self.supervisor = supervisor or Supervisor()
        self.jobs: queue.SimpleQueue[tuple[Job, Held] | None] = queue.SimpleQueue()
        self.lock = threading.Lock()
        #: Jobs that are handed out, and how many of them are lookups.
        self.taken = 0
        self.lookups = 0
        #: The lane of each endpoint that was served last.
        self.last_lane: dict[Endpoint, str] = {}
        #: When waits that no clock can have meant were last looked for.
        self.corrected_at = 0
        #: Whether lookups are served first in this round.
        self.lookups_first = False
        self.stopping = threading.Event()
        self.running: list[threading.Thread] = []

    def start(self) -> None:
        self.store.signal.listen()
        start, stopping, lease = self.supervisor.start, self.stopping, self.lease_for / SECOND
        translate = partial(self.translator.run, stopping, self.store.signal.notify, self.supervisor.beat)
        self.running = [
            start("dispatcher", self.dispatch, stopping, longest_pause=LONGEST_PAUSE / SECOND),
            start("translator", translate, stopping, longest_pause=LONGEST_REST_SECONDS),
        ]
        for n in range(self.threads):
            name = f"delivery-{n + 1}"
            self.running.append(start(name, self.work, stopping, longest_pause=lease, kind="delivery", lease=lease))
        if self.janitor:
            prune = partial(self.janitor.run, partial(self.supervisor.wait, stopping))
            self.running.append(start("janitor", prune, stopping, longest_pause=REST_SECONDS))

    def stop(self, seconds: float) -> bool:
        """Begin nothing new, finish what is in flight, give the rest back. False if that took longer than `seconds`."""
        self.stopping.set()
        self.store.signal.notify()
        self.translator.wake()
        deadline = self.clock() + round(seconds * SECOND)
        for thread in self.running:
            thread.join(max(0.0, (deadline - self.clock()) / SECOND))
        return not any(thread.is_alive() for thread in self.running)

    def dispatch(self) -> None:
        while not self.stopping.is_set():
            self.supervisor.beat()
            try:
                if self.crowded():
                    self.stopping.wait(BUSY_PAUSE_SECONDS)
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
        """Hand out what is due. Returns for how many microseconds there is nothing more to do, if no signal comes."""
        seen = self.look()
        if seen.events:
            self.translator.wake(seen.events)
        self.deliverer.has_conflicts = seen.conflicts
        # A gate that lets one call through lets each kind have it in turn.
        self.lookups_first = not self.lookups_first
        kinds = (self.submit_lookups, self.submit_entities)
        waits = [submit(seen) for submit in (kinds if self.lookups_first else kinds[::-1])]
        return min(*waits, LONGEST_PAUSE)

    def look(self) -> Glance:
        now = self.clock()
        if not self.corrected_at <= now < self.corrected_at + CORRECT_EVERY:
            self.store.backlog.correct(now)
            self.corrected_at = now
        seen = self.store.glance(now)
        if seen.now != now:
            self.clock.follow(seen.now)
        return seen

    def free(self) -> int:
        return (BUSY_THREADS if self.crowded() else self.threads) - self.taken

    def submit_entities(self, seen: Glance) -> int:
        return self.submit(seen, Endpoint.SET_VALUES, seen.entities, self.free())

    def submit_lookups(self, seen: Glance) -> int:
        """Lookups have half of the threads, so that any number of unknown references leaves room for the others."""
        waits = []
        for endpoint in LOOKUPS:
            lanes = [lane for lane in seen.references if lookup_endpoint(lane.name) is endpoint]
            free = min(self.free(), max(1, self.threads // 2) - self.lookups)
            waits.append(self.submit(seen, endpoint, lanes, free))
        return min(waits)

    def submit(self, seen: Glance, endpoint: Endpoint, lanes: Sequence[Lane], free: int) -> int:
        """Claim no more than there are threads for, so that nothing waits under a lease. When to look again."""
        due = turn([lane for lane in lanes if lane.due_at <= seen.now], self.last_lane.get(endpoint, ""))
        wait = min((lane.due_at - seen.now for lane in lanes if lane.due_at > seen.now), default=LONGEST_PAUSE)
        if not due or free <= 0:
            return wait
        admission = self.gatekeeper.admit(seen.gates, endpoint, free)
        jobs = self.claim(endpoint, due, admission.granted) if admission.granted else []
        if unused := admission.granted - len(jobs):
            self.gatekeeper.give_back(admission.held, unused)
        if jobs:
            self.last_lane[endpoint] = due[min(len(jobs), len(due)) - 1].name
        with self.lock:
            self.taken += len(jobs)
            self.lookups += sum(isinstance(job, Question) for job in jobs)
        for job in jobs:
            self.jobs.put((job, admission.held))
        return min(wait, admission.wait or LONGEST_PAUSE)

    def claim(self, endpoint: Endpoint, lanes: Sequence[Lane], most: int) -> Sequence[Job]:
        # Now, not when the queues were looked at: a lease is as long as the calls that it must last for.
        now = self.clock()
        queue_ = self.store.entities if endpoint is Endpoint.SET_VALUES else self.store.references
        return queue_.claim(self.new_lease(), most, now, now + self.lease_for, lanes)

    def work(self) -> None:
        while (taken := self.jobs.get()) is not None:
            job, held = taken
            healthy = False
            try:
                with self.supervisor.busy():
                    healthy = self.do(job, held)
            except StoreError as error:
                # The lease ends by itself, and the job is done again.
                log.warning("store unavailable", error=str(error))
            except Exception:
                log.exception("job failed", job=type(job).__name__)
            finally:
                self.finish(job, held, healthy=healthy)

    def do(self, job: Job, held: Held) -> bool:
        """Returns whether Metronome answered as it should."""
        if self.stopping.is_set():
            self.release(job)
            return False
        if isinstance(job, Claim):
            return self.deliverer.deliver(job, held).healthy
        return self.resolver.resolve(job, held)

    def finish(self, job: Job, held: Held, *, healthy: bool) -> None:
        try:
            self.gatekeeper.finish(held, healthy=healthy)
        except StoreError as error:
            # The place at the gate is free again when permits end.
            log.warning("store unavailable", error=str(error))
        finally:
            with self.lock:
                self.taken -= 1
                self.lookups -= isinstance(job, Question)
            self.store.signal.notify()

    def release(self, job: Job) -> None:
        """Give back what was claimed but not begun."""
        if isinstance(job, Claim):
            self.store.entities.release(job)
        else:
            self.store.references.release(job)
