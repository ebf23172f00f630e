"""diff"""

import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import click
import orjson
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from bridge import settings
from bridge.bootstrap import MappingsError, now
from bridge.cli.common import format_option, opened_store, when
from bridge.cli.terminal import Screen, console, echo, secho, table
from bridge.errors import BridgeError, OperatorError
from bridge.mapping import files
from bridge.mapping.files import Mappings
from bridge.mapping.hints import accepted
from bridge.model import ENTITIES, Field
from bridge.pipeline import rollout, window
from bridge.pipeline.compare import Kind
from bridge.pipeline.rollout import Comparison, Edit, Located, Plan, Selection, Summary, Tally
from bridge.store.history import Span
from bridge.store.spill import Spill

#: What ends the command with 1.
FAIL_ON: dict[str, Callable[[Comparison, Summary], bool]] = {
    "changes": lambda made, summary: bool(summary.keys or made.failing.events or made.mended.events),
    "failures": lambda made, _: bool(made.failing.events),
    "never": lambda *_: False,
}
FOOTNOTE = "unmapped: nothing sets or removes the key any more, and Metronome keeps what it holds"


@click.command("diff")
@click.option(
    "--mappings",
    "path",
    required=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="PATH",
    help="The candidate: a folder of mapping files, or one of them.",
)
@click.option("--events", "words", default="", metavar="WORDS", help="Which stored events. Default: all.")
@click.option("--source", help="Only what the file of this source changes.")
@click.option("--entity", type=click.Choice(ENTITIES), metavar="ENTITY", help="Only keys of such entities.")
@click.option("--key", help="Only this key.")
@click.option("--details", is_flag=True, help="Show each difference: values may be personal data.")
@click.option("--limit", type=click.IntRange(0), default=50, show_default=True, help="Of the details. 0: no limit.")
@format_option
@click.option("--fail-on", type=click.Choice(list(FAIL_ON)), default="changes", show_default=True)
def command(path: Path, words: str, *, details: bool, limit: int, form: str, fail_on: str, **asked: str | None) -> None:
    """Compare what the mapping files at PATH make of stored events with what the current ones (BRIDGE_MAPPINGS) do.

    PATH is a folder, or one changed file. Both mappings are run over the events; per key the newest event wins, as
    ever, and what is left is compared. It only reads: nothing is stored, and Metronome is not called.

    WORDS say which events, by when they were received: 'since 7d', 'since 2026-11-01 until 2026-11-08', 'last 10000'.

    Ends with 1 if anything differs (--fail-on changes), or only if events would fail that do not now (failures).
    """
    current = sound(files.load(settings.load().mappings, rollout.unset))
    candidate = sound(rollout.candidate(path, current))
    plan = planned(current, candidate, Selection(**asked))
    wanted = window.read(words, now())
    with opened_store() as store, closing(Spill()) as before, closing(Spill()) as after:
        made = Comparison(plan, before, after)
        span = store.history.span(wanted, asked["source"])
        if plan.readings and span is None:
            raise BridgeError("no stored event fits: nothing was compared")
        if span is not None:
            with progress(len(plan.readings) * (span.last - span.first + 1)) as advance:
                made.run(store.history, span, advance)
        summary = made.summary()
        found = rollout.located(islice(made.differences(), limit or None), store.references) if details else iter(())
        SHOWN[form](made, span, summary, found)
    sys.exit(1 if FAIL_ON[fail_on](made, summary) else 0)


def sound(mappings: Mappings) -> Mappings:
    """Raises MappingsError."""
    if mappings.errors:
        raise MappingsError("\n".join(map(str, mappings.errors)))
    return mappings


def planned(current: Mappings, candidate: Mappings, selection: Selection) -> Plan:
    """Raises OperatorError if there is no such source."""
    names = current.sources.keys() | candidate.sources.keys()
    if selection.source is not None and selection.source not in names:
        raise OperatorError(f"there is no source {selection.source!r}{accepted(selection.source, names)}")
    return rollout.plan(current.sources, candidate.sources, selection)


@contextmanager
def progress(total: int) -> Iterator[Callable[[int, int], object]]:
    """Shows how far it is on standard error, where somebody looks at it."""
    screen = Screen(stderr=True)
    columns = (BarColumn(), TaskProgressColumn(), TimeRemainingColumn(), TextColumn("{task.fields[read]:,} events"))
    with Progress("comparing", *columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task("", total=total, read=0)
        read = 0

        def advance(numbers: int, events: int) -> None:
            nonlocal read
            read += events
            bar.update(task, advance=numbers, read=read)

        yield advance


def show_text(made: Comparison, span: Span | None, summary: Summary, found: Iterator[Located]) -> None:
    for edit in made.plan.edits:
        show_edit(edit)
    if not made.plan.readings or span is None:
        echo("no rule that differs writes such keys: there is nothing to compare")
        return
    read = ", ".join(f"{made.read[one.source]:,} of {one.source}" for one in made.plan.readings)
    between = f"between {when(span.since)} and {when(span.until)} UTC, numbers {span.first} to {span.last}"
    echo(f"events read: {read} (received {between})")
    for name in made.unseen:
        secho(f"no stored event of {name} fits: what its rules would change is not known", fg="yellow")
    echo()
    show_summary(summary)
    show_tally("events would fail that do not now, or for another reason:", made.failing)
    show_tally("events would no longer fail, or no longer for this reason:", made.mended)
    if made.still_failing:
        echo(f"\n{made.still_failing:,} events fail with both")
    for one in found:
        echo(line_of(one))


def show_edit(edit: Edit) -> None:
    if edit.before is None:
        echo(f"{edit.source}: new")
    elif edit.after is None:
        secho(f"{edit.source}: its mapping file is gone, and its events would fail", fg="yellow")
    else:
        rules = f"rules that differ: {', '.join(edit.rules)}" if edit.rules else "no rule differs"
        echo(f"{edit.source}: {edit.before} -> {edit.after}, {rules}")
    if edit.has_other_sender:
        secho("  its sender is another: stored events are as the one before has read them", fg="yellow")


def show_summary(summary: Summary) -> None:
    if not summary.keys:
        echo("no value differs")
        return
    rows = table("entity", "key", *Kind)
    for (entity, key), kinds in sorted(summary.keys.items()):
        rows.add_row(entity, key, *(f"{kinds.get(kind, 0):,}" for kind in Kind))
    console.print(rows, markup=False)
    echo(f"{summary.total:,} values of {summary.entities:,} entities differ")
    if summary.of(Kind.UNMAPPED):
        echo(FOOTNOTE)


def show_tally(title: str, tally: Tally) -> None:
    if not tally.events:
        return
    echo(f"\n{tally.events:,} {title}")
    rows = table("source", "events", "for example", "why")
    for failure in tally.failures():
        rows.add_row(failure.source, f"{failure.events:,}", f"event {failure.example}", failure.reason)
    console.print(rows, markup=False)


def line_of(found: Located) -> str:
    """Values are written as JSON: whatever is in them, they stay on their line."""
    target, before, after = found.difference.target, found.difference.before, found.difference.after
    whose = f"{target.entity} {target.reference}"
    if found.entity_id and found.entity_id != target.reference.value:
        whose += f" ({found.entity_id})"
    event = f"event {found.difference.event}"
    return f"{whose} {target.key}: {shown(before)} -> {shown(after)}   ({event})"


def shown(field: Field | None) -> str:
    if field is None:
        return Kind.UNMAPPED
    return Kind.REMOVED if field.value is None else orjson.dumps(field.value).decode()


def show_json(made: Comparison, span: Span | None, summary: Summary, found: Iterator[Located]) -> None:
    """One JSON object a line: a summary, then each difference."""
    echo(orjson.dumps(summary_of(made, span, summary)))
    for one in found:
        echo(orjson.dumps(difference_of(one)))


def summary_of(made: Comparison, span: Span | None, summary: Summary) -> dict[str, Any]:
    return {
        "files": [asdict(edit) for edit in made.plan.edits],
        "events": {reading.source: made.read[reading.source] for reading in made.plan.readings},
        "unseen": made.unseen,
        "span": span and span._asdict(),
        "entities": summary.entities,
        "differences": summary.total,
        "keys": [
            {"entity": entity, "key": key} | {str(kind): kinds.get(kind, 0) for kind in Kind}
            for (entity, key), kinds in sorted(summary.keys.items())
        ],
        "failing": tally_of(made.failing),
        "mended": tally_of(made.mended),
        "still_failing": made.still_failing,
    }


def tally_of(tally: Tally) -> dict[str, Any]:
    return {"events": tally.events, "reasons": [asdict(failure) for failure in tally.failures()]}


def difference_of(found: Located) -> dict[str, Any]:
    """A value is text, or null where the key is removed; none is given where the key is unmapped."""
    difference = found.difference
    sides = {"before": difference.before, "after": difference.after}
    return {
        "entity": difference.target.entity,
        "reference": str(difference.target.reference),
        "entity_id": found.entity_id,
        "key": difference.target.key,
        "kind": difference.kind,
        **{side: field.value for side, field in sides.items() if field},
        "event": difference.event,
    }


SHOWN = {"text": show_text, "json": show_json}
