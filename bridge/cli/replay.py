"""replay"""

import sys

import click

from bridge.cli.common import NUMBER, confirmed, opened_store, progress
from bridge.cli.events import STATES
from bridge.cli.terminal import echo
from bridge.errors import BridgeError
from bridge.model import EventState
from bridge.pipeline import redo


@click.command("replay")
@click.argument("numbers", type=NUMBER, nargs=-1, metavar="[NUMBER]...")
@click.option("--source", help="All events of this source.")
@click.option("--state", type=STATES, help="All events in this state.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def command(numbers: tuple[int, ...], source: str | None, state: str | None, yes: bool) -> None:
    """Have events translated again by the current mapping: by NUMBER, or by source and state.

    For after a mapping was corrected. An event keeps its own time, so a replay never overwrites a newer value. It is
    the running bridge that does the work; this only asks for it.
    """
    if bool(numbers) == bool(source or state):
        raise click.UsageError("say which events: by NUMBER, or by --source and --state")
    with opened_store() as store:
        wanted = list(numbers) or store.events.numbers(source=source, state=EventState(state) if state else None)
        if not wanted:
            raise BridgeError("no event fits")
        confirmed(f"replay {len(wanted)} events?", yes=yes or len(wanted) == 1)
        replayed = redo.replay(store, wanted, progress("replaying"))
    echo(f"{replayed} of {len(wanted)} events will be translated again")
    sys.exit(0 if replayed == len(wanted) else 1)
