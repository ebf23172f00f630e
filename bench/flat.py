"""What an operation costs on a full store, beside a store that holds a hundredth of it."""

import gc
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from bench.fill import NOW, fill
from bench.stand import empty_database
from bridge.model import (
    Attempt,
    Change,
    ChangeState,
    Event,
    EventState,
    Field,
    Outcome,
    Reference,
    StoredEvent,
    Verdict,
)
from bridge.store import Store, open_store
from bridge.store.entities import Claim, Mark, Settlement
from bridge.store.events import Translated
from bridge.store.letters import Selection
from bridge.times import HOUR

#: How much less the small store holds.
PART = 100
WARM_UP = 20
UNTIL = NOW + HOUR
#: Gives, each time, what is to be measured; what must happen before and after is done outside of it.
Operation = Callable[[Store, int], Iterator[Callable[[], object]]]


def timed(operation: Iterator[Callable[[], object]]) -> float:
    """Microseconds."""
    measured = next(operation)
    start = time.perf_counter()
    measured()
    seconds = time.perf_counter() - start
    next(operation, None)
    return seconds * 1e6


def alone(call: Callable[[Store, int], object]) -> Operation:
    """An operation that needs nothing before or after. It is given the store and how many events that holds."""

    def operation(store: Store, events: int) -> Iterator[Callable[[], object]]:
        yield lambda: call(store, events)

    return operation


def claim(store: Store, events: int) -> Iterator[Callable[[], object]]:
    claims: list[Claim] = []
    yield lambda: claims.extend(store.entities.claim("ours", 8, NOW, UNTIL))
    if len(claims) != 8:
        raise click.ClickException("too few entities are due")
    for one in claims:
        store.entities.release(one)


def claim_references(store: Store, events: int) -> Iterator[Callable[[], object]]:
    questions = []
    yield lambda: questions.extend(store.references.claim("ours", 8, NOW, UNTIL))
    if len(questions) != 8:
        raise click.ClickException("too few references are due")
    for one in questions:
        store.references.release(one)


def deliver(store: Store, events: int) -> Iterator[Callable[[], object]]:
    """Load and settle, all that a delivery does beside its call."""
    (ours,) = store.entities.claim("ours", 1, NOW, UNTIL)

    def load_and_settle() -> None:
        changes = store.entities.load(ours, NOW).changes
        newest = changes[0]
        settled = Settlement(
            attempts=(Attempt("set", ("tier",), Outcome(Verdict.ACCEPTED, 200), NOW, 20_000, (newest.id,)),),
            fields={key: Field(value, newest.stamp) for key, value in newest.values.items()},
            states={change.id: Mark(ChangeState.DELIVERED) for change in changes},
        )
        if not store.entities.settle(ours, settled, NOW):
            raise click.ClickException("a delivery was not settled")

    yield load_and_settle


NUMBERS = itertools.count()


def add(store: Store, events: int) -> Iterator[Callable[[], object]]:
    received = [Event(f"new_{next(NUMBERS)}", "customer.updated", {"tier": "gold", "note": "text " * 120}, NOW)]
    yield lambda: store.events.add("stripe", received, {}, NOW)


def translate_all(event: StoredEvent) -> Translated:
    entity_id = f"00000000-0000-4000-9000-{event.id:012}"
    asked = Change("customer", "customer", Reference("id", entity_id), {"tier": "gold"}, (), event.occurred_at)
    return Translated(EventState.TRANSLATED, None, "digest", (asked,))


def translate(store: Store, events: int) -> Iterator[Callable[[], object]]:
    store.events.add("stripe", [Event(f"new_{next(NUMBERS)}", "customer.updated", {}, NOW)], {}, NOW)
    yield lambda: store.events.translate(translate_all, 1, NOW + HOUR)


#: An entity that was delivered to, and an event of it.
KNOWN = "00000000-0000-4000-8000-000000000907"
BUSY = Claim("contract", "00000000-0000-4000-8000-000000000000", "ours", UNTIL, 0)

OPERATIONS: dict[str, Operation] = {
    "store an event": add,
    "translate an event": translate,
    "glance": alone(lambda store, _: store.glance(NOW)),
    "claim 8 entities": claim,
    "deliver: load and settle": deliver,
    "load the busiest entity": alone(lambda store, _: store.entities.load(BUSY, NOW)),
    "claim 8 references": claim_references,
    "events": alone(lambda store, _: store.events.find()),
    "events before": alone(lambda store, events: store.events.find(before=events // 2)),
    "events of a busy source": alone(lambda store, _: store.events.find(source="stripe")),
    "events of a rare source": alone(lambda store, _: store.events.find(source="rare", limit=10)),
    "events of a retired source": alone(lambda store, _: store.events.find(source="retired")),
    "events of a source before": alone(lambda store, events: store.events.find(source="stripe", before=events // 2)),
    "events received": alone(lambda store, _: store.events.find(state=EventState.RECEIVED)),
    "events failed": alone(lambda store, _: store.events.find(state=EventState.FAILED, limit=10)),
    "events failed before": alone(
        lambda store, events: store.events.find(state=EventState.FAILED, before=events // 2, limit=10)
    ),
    "events translated": alone(lambda store, _: store.events.find(state=EventState.TRANSLATED)),
    "events failed of a source": alone(
        lambda store, _: store.events.find(source="stripe", state=EventState.FAILED, limit=10)
    ),
    "events failed of another source": alone(
        lambda store, _: store.events.find(source="hubspot", state=EventState.FAILED)
    ),
    "events translated of a retired source": alone(
        lambda store, _: store.events.find(source="retired", state=EventState.TRANSLATED)
    ),
    "events received of a source": alone(
        lambda store, _: store.events.find(source="salesforce", state=EventState.RECEIVED)
    ),
    "events received of a retired source": alone(
        lambda store, _: store.events.find(source="retired", state=EventState.RECEIVED)
    ),
    "counts of events": alone(lambda store, _: store.events.counts()),
    "counts of changes": alone(lambda store, _: store.changes.counts()),
    "dead letters": alone(lambda store, _: store.letters.find(Selection())),
    "changes of an event": alone(lambda store, events: store.changes.of_event(events // 2)),
    "attempts of an entity": alone(lambda store, _: store.entities.attempts_of("customer", KNOWN)),
    "fields of an entity": alone(lambda store, _: store.entities.fields_of("customer", KNOWN)),
}


@contextmanager
def filled(server: str | None, events: int) -> Iterator[Store]:
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="metronome-bridge-bench-")))
        url = stack.enter_context(empty_database(server, place, str(events)))
        store = open_store(url.replace("postgresql:", "postgresql+psycopg:"), 2, HOUR)
        stack.callback(store.close)
        store.upgrade()
        fill(store, events)
        yield store


@click.command()
@click.option("--events", default=1_000_000, show_default=True, help="In the full store; all else in proportion.")
@click.option("--repeats", default=100, show_default=True)
@click.pass_obj
def flat(databases: dict[str, str | None], events: int, repeats: int) -> None:
    """What each operation costs on a full store, beside a store that holds a hundredth of it."""
    click.echo(f"{'':12}{'median, microseconds':38} {events // PART:>9,} {events:>9,} events   ratio")
    for name, url in databases.items():
        with filled(url, events // PART) as small, filled(url, events) as full:
            for what, operation in OPERATIONS.items():
                before, after = both(operation, small, full, events, repeats)
                click.echo(f"{name:12}{what:38} {before:9,.0f} {after:9,.0f}          {after / before:5.2f}")


def both(operation: Operation, small: Store, full: Store, events: int, repeats: int) -> tuple[float, float]:
    """Medians on both stores, measured in turn, so that whatever else the machine does disturbs both alike."""
    costs: tuple[list[float], list[float]] = ([], [])
    gc.disable()
    try:
        for _ in range(WARM_UP + repeats):
            costs[0].append(timed(operation(small, events // PART)))
            costs[1].append(timed(operation(full, events)))
    finally:
        gc.enable()
    before, after = (statistics.median(cost[WARM_UP:]) for cost in costs)
    return before, after
