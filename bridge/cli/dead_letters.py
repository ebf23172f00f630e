"""dead-letters"""

import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any

import click
import orjson

from bridge.cli import events
from bridge.cli.common import NUMBER, confirmed, opened_store, progress, when
from bridge.cli.terminal import console, echo, table
from bridge.errors import BridgeError
from bridge.pipeline import redo
from bridge.store import Store
from bridge.store.letters import Letter, Selection
from bridge.times import from_datetime

WHEN = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"])


@click.group("dead-letters")
def command() -> None:
    """What failed, or was refused by Metronome: look at it, replay it, or give it up.

    An event is a dead letter while its rules could not be applied, or while Metronome refuses a change that they made.
    """


def selecting(run: Callable[..., None]) -> Callable[..., None]:
    """Adds the options that say which dead letters."""
    options = (
        click.option("--source", help="Only those of this source."),
        click.option("--type", "event_type", help="Only events of this type."),
        click.option("--since", type=WHEN, help="Only those received since then (UTC)."),
        click.option("--until", type=WHEN, help="Only those received before then (UTC)."),
    )
    for option in reversed(options):
        run = option(run)
    return run


def selection(source: str | None, event_type: str | None, since: datetime | None, until: datetime | None) -> Selection:
    begin, end = (None if moment is None else from_datetime(moment) for moment in (since, until))
    return Selection(source, event_type, begin, end)


@command.command("list")
@selecting
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@click.option("--before", type=NUMBER, metavar="NUMBER", help="Only events received before this one.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_(limit: int, before: int | None, as_json: bool, **which: Any) -> None:
    """List dead letters, the newest first, and why they are dead."""
    with opened_store() as store:
        found = store.letters.find(selection(**which), before=before, limit=limit)
    if as_json:
        for letter in found:
            echo(orjson.dumps(summary(letter)))
        return
    rows = table("number", "source", "event", "type", "received (UTC)", "why")
    for letter in found:
        event = letter.event
        why = "\n".join(letter.reasons)
        rows.add_row(str(event.id), event.source, event.event_id, event.event_type, when(event.received_at), why)
    console.print(rows, markup=False)


@command.command("count")
@selecting
def count(**which: Any) -> None:
    """Count dead letters by source."""
    with opened_store() as store:
        heaps = store.letters.counts(selection(**which))
    rows = table("source", "dead letters", "oldest received (UTC)")
    for heap in heaps:
        rows.add_row(heap.source, str(heap.count), when(heap.oldest))
    rows.add_row("all", str(sum(heap.count for heap in heaps)), "")
    console.print(rows, markup=False)


command.add_command(events.show, "show")


@command.command("replay")
@click.argument("numbers", type=NUMBER, nargs=-1, metavar="[NUMBER]...")
@selecting
@click.option("--all", "everything", is_flag=True, help="All dead letters.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def replay(numbers: tuple[int, ...], everything: bool, yes: bool, **which: Any) -> None:
    """Have dead letters translated again by the current mapping.

    An event keeps its own time, so a replay never overwrites a newer value.
    """
    with opened_store() as store:
        wanted = chosen(store, numbers, selection(**which), everything=everything)
        confirmed(f"replay {len(wanted)} dead letters?", yes=yes or len(wanted) == 1)
        replayed = redo.replay(store, wanted, progress("replaying"))
    echo(f"{replayed} of {len(wanted)} events will be translated again")
    sys.exit(0 if replayed == len(wanted) else 1)


@command.command("drop")
@click.argument("numbers", type=NUMBER, nargs=-1, metavar="[NUMBER]...")
@selecting
@click.option("--all", "everything", is_flag=True, help="All dead letters.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def drop(numbers: tuple[int, ...], everything: bool, yes: bool, **which: Any) -> None:
    """Give dead letters up. They stay in the history, as dropped, and can still be replayed by number.

    By NUMBER this also gives up what an event has parked.
    """
    with opened_store() as store:
        wanted = chosen(store, numbers, selection(**which), everything=everything)
        confirmed(f"drop {len(wanted)} dead letters?", yes=yes)
        dropped = redo.drop(store, wanted, progress("dropping"))
    echo(f"{dropped} of {len(wanted)} events had something to give up")
    sys.exit(0 if dropped == len(wanted) else 1)


def chosen(store: Store, numbers: tuple[int, ...], which: Selection, *, everything: bool) -> list[int]:
    """The numbers that were given, or those that fit. Raises UsageError, BridgeError if there is none."""
    if [bool(numbers), which != Selection(), everything].count(True) != 1:
        raise click.UsageError("say which: by NUMBER, by --source, --type, --since and --until, or --all")
    wanted = list(numbers) or store.letters.numbers(which)
    if not wanted:
        raise BridgeError("there is no such dead letter")
    return wanted


def summary(letter: Letter) -> dict[str, object]:
    return {**events.summary(letter.event), "why": letter.reasons}
