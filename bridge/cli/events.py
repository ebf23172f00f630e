"""events"""

import click
import orjson
from rich.markup import escape

from bridge.cli.common import NUMBER, opened_store, when
from bridge.cli.terminal import console, echo, table
from bridge.errors import BridgeError
from bridge.model import EventState, StoredChange, StoredEvent
from bridge.store import Store
from bridge.store.stamps import RELEASE
from bridge.text import harmless

STATES = click.Choice([str(state) for state in EventState])


@click.group("events")
def command() -> None:
    """Look at what was received and what became of it."""


@command.command("list")
@click.option("--source", help="Only events of this source.")
@click.option("--state", type=STATES, help="Only events in this state.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@click.option("--before", type=NUMBER, metavar="NUMBER", help="Only events received before this one.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_(source: str | None, state: str | None, limit: int, before: int | None, as_json: bool) -> None:
    """List events, the newest first."""
    with opened_store() as store:
        found = store.events.find(source=source, state=EventState(state) if state else None, before=before, limit=limit)
    if as_json:
        for event in found:
            echo(orjson.dumps(summary(event)))
        return
    rows = table("number", "source", "event", "type", "happened (UTC)", "state", "reason")
    for event in found:
        happened = when(event.occurred_at)
        reason = event.reason or ""
        rows.add_row(str(event.id), event.source, event.event_id, event.event_type, happened, event.state, reason)
    console.print(rows, markup=False)


@command.command("show")
@click.argument("number", type=NUMBER)
@click.option("--payload", is_flag=True, help="Show the payload too. It may hold personal data.")
def show(number: int, payload: bool) -> None:
    """Show one event, the changes it led to, and the calls that were made for them."""
    with opened_store() as store:
        event = store.events.get(number)
        if event is None:
            raise BridgeError(f"there is no event {number}")
        show_event(event)
        for change in store.changes.of_event(number):
            show_change(store, change)
    if payload:
        console.print_json(orjson.dumps(event.payload).decode())


def show_event(event: StoredEvent) -> None:
    what = escape(harmless(f"{event.event_id} ({event.event_type}) of {event.source}"))
    console.print(f"[bold]event {event.id}[/]: {what}")
    console.print(f"  happened {when(event.occurred_at)} UTC, received {when(event.received_at)} UTC")
    mapping = f" by mapping {event.digest}" if event.digest else ""
    console.print(f"  {event.state}{mapping}" + because(event.reason), markup=False)


def show_change(store: Store, change: StoredChange) -> None:
    found = "" if change.reference.entity_id else f" -> {change.entity_id or 'not found yet'}"
    whose = escape(harmless(f"rule {change.rule}, {change.entity} {change.reference}{found}"))
    console.print(f"\n[bold]change {change.id}[/]: {whose}")
    mapping = f" by mapping {change.digest}" if change.digest else ""
    console.print(f"  {change.state}{mapping}" + because(change.reason), markup=False)
    held = store.entities.fields_of(change.entity, change.entity_id) if change.entity_id else {}
    for key, text in change.values.items():
        known = held.get(key)
        later = f"   (event {known.stamp.event} set it since)" if known and known.stamp > change.stamp else ""
        console.print(
            harmless(f"    {'remove' if text is None else 'set'} {key} {'' if text is None else f'= {text}'}{later}"),
            markup=False,
        )
    if change.entity_id:
        show_attempts(store, change)


def show_attempts(store: Store, change: StoredChange) -> None:
    for attempt in reversed(store.entities.attempts_of(change.entity, change.entity_id or "")):
        if change.id in attempt.changes:
            outcome = attempt.outcome
            if attempt.call == RELEASE:
                console.print(
                    f"  {when(attempt.started_at)} {', '.join(attempt.keys)}: {outcome.message}", markup=False
                )
                continue
            status = outcome.status or "no answer"
            took = f"{attempt.duration / 1000:.0f} ms"
            console.print(
                f"  {when(attempt.started_at)} {attempt.call} -> {status} ({outcome.verdict}) in {took}"
                + because(outcome.message),
                markup=False,
            )


def because(reason: str | None) -> str:
    """In the line that it belongs to, whatever it holds."""
    return f": {harmless(reason)}" if reason else ""


def summary(event: StoredEvent) -> dict[str, object]:
    return {
        "number": event.id,
        "source": event.source,
        "event_id": event.event_id,
        "event_type": event.event_type,
        "occurred_at": event.occurred_at,
        "received_at": event.received_at,
        "state": event.state,
        "reason": event.reason,
        "digest": event.digest,
    }
