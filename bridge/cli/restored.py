"""restored"""

from datetime import datetime

import click
from rich.markup import escape
from rich.table import Table

from bridge import bootstrap, settings
from bridge.cli.common import confirmed, count, opened_store, when
from bridge.cli.dead_letters import WHEN
from bridge.cli.terminal import console, echo, table
from bridge.errors import OperatorError
from bridge.model import ChangeState
from bridge.store import Store
from bridge.store.held import Scope
from bridge.store.history import Window
from bridge.times import from_datetime, to_iso

NEXT = """\
What to do next:
1. Have each sender send again what it sent since {since}, oldest first: see docs/backup.md for how.
   What is here already is recognized and dropped. Events without a time count as happening now: their order matters.
2. Start delivery, if it is stopped. A new event is written even if its value equals the one that the backup has.
3. `metronome-bridge drift` shows what Metronome still holds otherwise. `drift --repair --from metronome` remembers its
   values, `drift --repair --from ours` writes those of the backup again."""


@click.command("restored")
@click.option("--as-of", "as_of", type=WHEN, required=True, help="When the backup was made (UTC).")
@click.option("--yes", is_flag=True, help="Do not ask.")
def command(as_of: datetime, yes: bool) -> None:
    """Say that the database was restored from a backup: what it says of Metronome may be older than what that holds.

    Every key becomes unsure until it is next written: no value counts as held by Metronome already, and none is written
    again by itself. Times stay, so older events still lose. Safe to run again.
    """
    since = from_datetime(as_of)
    if since > bootstrap.now():
        raise OperatorError(f"--as-of {to_iso(since)} has not come yet: say when the backup was made, in UTC")
    with opened_store() as store:
        show(store, since)
        entities = sum(store.holdings.counts(Scope()).values())
        confirmed(f"make all keys of {count(entities, 'entity', 'entities')} unsure?", yes=yes)
        marked = sum(store.holdings.make_unsure())
        echo(f"unsure until written again: {count(marked, 'key', 'keys')}")
        console.print(senders(store))
    echo(NEXT.format(since=to_iso(since)))


def show(store: Store, since: int) -> None:
    """What the database has of the time around the backup."""
    span = store.history.span(Window(last=1))
    echo(f"the newest event here was received at {to_iso(span.until)}" if span else "no event is here")
    if span and span.until > since:
        echo(f"it came after {to_iso(since)}: the bridge has run since it was restored, or the backup is newer")
    open_changes = store.changes.counts()
    if waiting := open_changes[ChangeState.PENDING] + open_changes[ChangeState.PARKED]:
        echo(
            f"changes that were not delivered yet: {waiting}. They may overwrite newer values: deliver only after the"
            " senders have sent again (BRIDGE_DELIVERY=off, and no worker)"
        )


def senders(store: Store) -> Table:
    """Who has to send again, and the newest that is here of each."""
    rows = table("source", "sender", "newest event here (UTC)")
    for name, source in sorted(bootstrap.load_mappings(settings.load()).sources.items()):
        newest = store.events.find(source=name, limit=1)
        received = when(newest[0].received_at) if newest else "none"
        rows.add_row(escape(name), escape(source.sender.name), received)
    return rows
