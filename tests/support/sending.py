"""A sender as vendors build them: it posts each event again until that is acknowledged, in no order."""

import queue
import random
import threading
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import requests

from tests.support.processes import PATIENCE_SECONDS
from tests.support.stripe_events import customer_updated, signed

#: Squeezed from hours to what a test can wait for.
PAUSE_SECONDS = 0.1
TIMEOUT_SECONDS = 30
FIRST_SECOND = 1_795_341_600


@dataclass(frozen=True, slots=True)
class Story:
    """Events of some customers, shuffled and some of them repeated, and what Metronome must hold at their end."""

    events: list[dict[str, Any]]
    expected: Mapping[str, Mapping[str, str]]


def story(customers: int, steps: int, *, repeated: float = 0.1) -> Story:
    """Each customer's `tier` counts from 0 up to `steps` - 1."""
    ids = [str(uuid.uuid4()) for _ in range(customers)]
    events = [
        customer_updated(f"evt_{uuid.uuid4().hex}", FIRST_SECOND + step, metronome_id=one, tier=str(step))
        for step in range(steps)
        for one in ids
    ]
    sequence = events + random.sample(events, round(len(events) * repeated))
    random.shuffle(sequence)
    return Story(sequence, {one: {"tier": str(steps - 1), "name": "Acme"} for one in ids})


#: Every customer is named twice: by its UUID, and by an alias that has to be looked up.
FULL = """
sender: stripe
secrets: ["${STRIPE_WEBHOOK_SECRET}"]
rules:
  - name: by id
    events: [customer.*]
    entity: customer
    id: data.object.metadata.metronome_id
    fields:
      tier: data.object.metadata.tier
      name: data.object.name
      coupon: {path: data.object.coupon, when_null: remove}
  - name: by alias
    events: [customer.*]
    entity: customer
    lookup: {ingest_alias: data.object.id}
    fields:
      plan: data.object.metadata.tier
"""


def full_story(customers: int, steps: int) -> Story:
    """For the mapping FULL. Every other step removes the coupon; `steps` is even, so that it is gone at the end."""
    told = story(customers, steps)
    for event in told.events:
        given = event["data"]["object"]
        step = given["metadata"]["tier"]
        given |= {"id": alias_of(given["metadata"]["metronome_id"]), "coupon": None if int(step) % 2 else f"c{step}"}
    return Story(told.events, {one: {**held, "plan": held["tier"]} for one, held in told.expected.items()})


def alias_of(customer: str) -> str:
    return f"cus_{customer}"


class Sender:
    """Posts from several connections at a time."""

    def __init__(self, url: str, events: Iterable[dict[str, Any]], *, connections: int = 8) -> None:
        self.url = f"{url}/webhooks/stripe"
        self.left: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        for event in events:
            self.left.put(event)
        self.lock = threading.Lock()
        self.acknowledged: list[dict[str, Any]] = []
        #: Every answer but 200; None: no answer.
        self.refusals: list[int | None] = []
        self.retry_after: set[str | None] = set()
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(connections)]

    def start(self) -> "Sender":
        for thread in self.threads:
            thread.start()
        return self

    def finish(self) -> None:
        """Returns when every event is acknowledged. Fails the test if that takes too long."""
        for thread in self.threads:
            thread.join(PATIENCE_SECONDS)
            assert not thread.is_alive(), f"answered so far: {Counter(self.refusals)}"

    def stop(self) -> None:
        self.stopping.set()
        self.finish()

    def run(self) -> None:
        with requests.Session() as session:
            while not self.stopping.is_set():
                try:
                    event = self.left.get_nowait()
                except queue.Empty:
                    return
                self.post(session, event)

    def post(self, session: requests.Session, event: dict[str, Any]) -> None:
        try:
            answer = session.post(self.url, **signed(event), timeout=TIMEOUT_SECONDS)
            status = answer.status_code
        except requests.RequestException:
            answer, status = None, None
        with self.lock:
            if status == 200:
                self.acknowledged.append(event)
                return
            self.refusals.append(status)
            self.retry_after.add(answer.headers.get("Retry-After") if answer is not None else None)
        self.left.put(event)
        self.stopping.wait(PAUSE_SECONDS)
