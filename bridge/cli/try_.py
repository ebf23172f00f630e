"""try"""

import sys
from pathlib import Path

import click

from bridge import settings
from bridge.bootstrap import now
from bridge.cli.common import console, find_source, request_from, when
from bridge.mapping import examples
from bridge.mapping.examples import translate
from bridge.model import Change, Event


@click.command("try")
@click.argument("source")
@click.argument("event", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def command(source: str, event: Path) -> None:
    """Show what would be written for an EVENT, without writing or asking anybody anything.

    EVENT is a file: .json (a payload), .http (a whole request) or the raw body, such as Salesforce's .xml. Nothing is
    verified. Ends with 1 if a rule fails.
    """
    values = settings.load()
    found = find_source(values, source)
    request = request_from(found, event, f"/webhooks/{source}", values)
    failed = False
    for one in examples.read(found, request, now()):
        show_event(one)
        translation = translate(found, one)
        for change in translation.changes:
            show_change(change)
        for failure in translation.failures:
            console.print(f"  [red]fails[/]: {failure}", markup=True)
            failed = True
        if not translation.changes and not translation.failures:
            console.print("  no rule applies: nothing would be written")
    sys.exit(1 if failed else 0)


def show_event(event: Event) -> None:
    console.print(f"[bold]event[/] {event.event_id} ({event.event_type}) of {when(event.occurred_at or 0)} UTC")


def show_change(change: Change) -> None:
    kind, value = change.reference
    console.print(f"  [bold]{change.rule}[/]: {change.entity} {'' if kind == 'id' else f'with {kind} '}{value}")
    for key, text in change.set.items():
        console.print(f"    set    {key} = {text}", markup=False)
    for key in change.remove:
        console.print(f"    remove {key}", markup=False)
