"""try"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import click

from bridge import settings
from bridge.bootstrap import now
from bridge.cli import story
from bridge.cli.common import find_source, request_of, when
from bridge.cli.given import content_of, stored_event
from bridge.cli.terminal import console, echo, secho
from bridge.cli.watch import watch
from bridge.errors import BridgeError
from bridge.mapping.files import SUFFIXES
from bridge.mapping.rules import Source
from bridge.model import Change, Event
from bridge.pipeline import preview
from bridge.pipeline.preview import Preview
from bridge.settings import Settings

Look = Callable[[Source, Settings], Preview]


@click.command("try")
@click.argument("source")
@click.argument("event")
@click.option("--changes", is_flag=True, help="Show only the changes, and nothing of what led to them.")
@click.option("--json", "as_json", is_flag=True, help="Everything as one JSON object.")
@click.option("--watch", "watching", is_flag=True, help="Again whenever the mapping or the event is saved.")
def command(source: str, event: str, changes: bool, as_json: bool, watching: bool) -> None:
    """Show what would be written for an EVENT, and how it comes about, without writing or asking anybody anything.

    SOURCE is the name of a source, or a mapping file. EVENT is a file: .json (a payload), .http (a whole request) or
    the raw body, such as Salesforce's .xml; or - for standard input; or the number of a stored event. Nothing is
    verified, and no secret is needed. Ends with 1 if a rule fails.
    """
    values = settings.load()
    look = looking_at(event)
    show = show_json if as_json else show_changes if changes else story.show

    def run() -> bool:
        made = look(find_source(values, source), values)
        show(made)
        return made.failed

    if watching:
        watch_files(run, [mapping_file(source, values), Path(event)])
    else:
        sys.exit(1 if run() else 0)


def looking_at(event: str) -> Look:
    """From a source to what it makes of the event that the command line names."""
    content = content_of(event)
    if content is None:
        return lambda source, _: preview.of_stored(source, stored_event(int(event)))
    return lambda source, values: of_content(source, *content(), values)


def of_content(source: Source, content: bytes, path: Path, values: Settings) -> Preview:
    request = request_of(source.sender, content, path, f"/webhooks/{source.name}", values)
    return preview.of_request(source, request, now())


def mapping_file(source: str, values: Settings) -> Path:
    if source.endswith(SUFFIXES):
        return Path(source)
    paths = [values.mappings / f"{source}{suffix}" for suffix in SUFFIXES]
    return next((path for path in paths if path.exists()), paths[0])


def watch_files(run: Callable[[], object], paths: list[Path]) -> None:
    """What is wrong with a file is shown, and mended while we look on."""

    def show() -> None:
        if console.is_terminal:
            console.clear()
        try:
            run()
        except BridgeError as error:
            secho(str(error), fg="red")
        names = " or ".join(str(path) for path in paths if path.exists())
        console.print(f"-- {names} is watched: Ctrl-C ends --", style="dim", markup=False)

    watch(paths, show)


def show_json(made: Preview) -> None:
    echo(json.dumps(preview.as_json(made), ensure_ascii=False, indent=2, default=str))


def show_changes(made: Preview) -> None:
    for explanation in made.explanations:
        show_event(explanation.event)
        translation = explanation.translation
        for change in translation.changes:
            show_change(change)
        for failure in translation.failures:
            story.say(("fails: ", "red"), failure, indent=2)
        if translation.idle:
            story.say(("nothing would be written: ", "dim"), translation.idle, indent=2)


def show_event(event: Event) -> None:
    story.say(("event ", "bold"), f"{event.event_id} ({event.event_type}) of {when(event.occurred_at or 0)} UTC")


def show_change(change: Change) -> None:
    story.say((change.rule, "bold"), f": {change.entity} {change.reference}", indent=2)
    for key, text in change.set.items():
        story.say(f"set    {key} = {story.shown(text)}", indent=4)
    for key in change.remove:
        story.say(f"remove {key}", indent=4)
