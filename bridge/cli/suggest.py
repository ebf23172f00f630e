"""suggest"""

import json
from pathlib import Path

import click
from rich.text import Text

from bridge import private, settings
from bridge.authoring.draft import Draft, draft
from bridge.authoring.material import Material, material_of, material_of_stored
from bridge.authoring.suggest import Entry, entries_of, kind_of, sender_of
from bridge.bootstrap import now
from bridge.cli import story
from bridge.cli.common import find_source, request_of
from bridge.cli.given import content_of, stored_event
from bridge.cli.terminal import console, document, echo, table
from bridge.errors import BridgeError, SenderError
from bridge.mapping.files import NAME, SUFFIXES
from bridge.senders import SENDERS
from bridge.text import harmless

#: How much of a value is listed, in characters.
MAX_SHOWN = 48

WHO = "who sends this? `metronome-bridge senders` lists who is known; hmac, token and basic are for any other"


@click.command("suggest")
@click.argument("event")
@click.option("--sender", type=click.Choice(sorted(SENDERS)), help="Who sends it. Default: what an .http file tells.")
@click.option("--source", help="A source that gets such events: its sender reads them.")
@click.option("--path", "paths", multiple=True, help="Draft a mapping file with this path or expression; repeatable.")
@click.option("--all", "everything", is_flag=True, help="Draft a mapping file with every path.")
@click.option("-o", "output", type=click.Path(dir_okay=False, path_type=Path), help="Write the draft to this file.")
@click.option("--force", is_flag=True, help="Write over the file if there is one.")
@click.option("--json", "as_json", is_flag=True, help="List the paths as JSON, their values in full.")
def command(
    *,
    event: str,
    sender: str | None,
    source: str | None,
    paths: tuple[str, ...],
    everything: bool,
    output: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """List every path in an EVENT as mapping files write it; with --path or --all, draft a mapping file.

    EVENT is a file: .json (a payload), .http (a whole request) or the raw body; or - for standard input; or the number
    of a stored event. A draft is made of guesses, and has the event as an example: read it before you use it.
    """
    material = gather(event, sender, source)
    if not (paths or everything or output):
        show = list_json if as_json else list_entries
        show(material)
        return
    if output:
        check_output(output, force=force)
    if material.sender is None:
        raise click.UsageError(f"--sender: {WHO}")
    name = output.stem if output else source or material.sender.name
    made = draft(material, material.sender, name, () if everything else paths, now())
    if output:
        write(output, made.text)
    else:
        document(made.text)
    report(made, output, event)


def gather(event: str, sender_name: str | None, source: str | None) -> Material:
    """Raises BridgeError if there is no event in it."""
    values = settings.load()
    content = content_of(event)
    if content is None:
        stored = stored_event(int(event))
        sender = SENDERS[sender_name] if sender_name else find_source(values, source or stored.source).sender
        return material_of_stored(stored, sender)
    given = find_source(values, source).sender if source else SENDERS[sender_name] if sender_name else None
    request = request_of(given or SENDERS["none"], *content(), f"/webhooks/{source or 'suggest'}", values)
    if given is not None or (told := sender_of(request)) is None:
        return material_of(request, given, now())
    try:
        return material_of(request, SENDERS[told], now())
    except SenderError:
        # It looks like theirs and is not: then it is what it is.
        return material_of(request, None, now())


def check_output(path: Path, *, force: bool) -> None:
    if path.suffix not in SUFFIXES or not NAME.fullmatch(path.stem):
        message = "the name of a mapping file becomes part of the URL: a-z, 0-9, - and _, and .yaml at its end"
        raise click.BadParameter(message, param_hint="-o")
    if path.exists() and not force:
        raise click.BadParameter(f"{path} is there already: --force writes over it", param_hint="-o")


def write(path: Path, text: str) -> None:
    try:
        private.write(path, text.encode())
    except OSError as error:
        raise BridgeError(f"{path} cannot be written: {error.strerror or type(error).__name__}") from None


def report(made: Draft, output: Path | None, event: str) -> None:
    """Beside the draft, so that it can be piped into a file."""

    def tell(line: str) -> None:
        echo(harmless(line), err=True)

    for path, why in made.left_out.items():
        tell(f"left out: {path}: {why}")
    example = "and an example" if made.has_example else "but no example: it cannot be posted again as it was read"
    fields = story.counted(made.fields, "field")
    tell(f"{output or 'a draft'}: {story.counted(made.rules, 'rule')}, {fields}, {example}")
    if output:
        tell(f"next: metronome-bridge check, and metronome-bridge try {output.stem} {event} --watch")


def list_json(material: Material) -> None:
    entries = [entry_json(entry) for entry in entries_of(material.events[0].payload)]
    echo(json.dumps(entries, ensure_ascii=False, indent=2))


def entry_json(entry: Entry) -> dict[str, object]:
    return {
        "path": entry.path,
        "type": kind_of(entry.value),
        "value": entry.value,
        "for_each": entry.for_each,
        "item": entry.item,
        "notes": list(entry.notes),
    }


def list_entries(material: Material) -> None:
    event, *others = material.events
    sender = material.sender.name if material.sender else "no sender is known: --sender names one"
    more = f", the first of {len(others) + 1} in this request" if others else ""
    story.say(("event ", "bold"), f"{event.event_type or 'of no type'} ({sender}){more}")
    rows = table("path", "value", "type", "what it looks like")
    through: str | None = None
    for entry in entries_of(event.payload):
        if entry.for_each and entry.for_each != through:
            rows.add_row("", "", "", Text(harmless(f"for_each: {entry.for_each}"), "cyan"))
        through = entry.for_each
        notes = [*([entry.item] if entry.item else []), *entry.notes]
        value = story.shown(entry.value, MAX_SHOWN)
        rows.add_row(*(Text(harmless(text)) for text in (entry.path, value, kind_of(entry.value), "; ".join(notes))))
    console.print(rows)
