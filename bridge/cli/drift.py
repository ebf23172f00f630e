"""drift"""

import sys
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

import click
from rich.markup import escape
from rich.progress import Progress

from bridge import bootstrap, settings
from bridge.cli.common import confirmed, count, format_option, opened_store, progress, when
from bridge.cli.terminal import console, echo, print_json, table
from bridge.errors import BridgeError
from bridge.model import ENTITIES
from bridge.pipeline import drift
from bridge.pipeline.drift import Difference, Inspector, Kind, Report, Side
from bridge.store import Store
from bridge.store.held import Scope
from bridge.times import MINUTE, to_iso

#: As people say it.
WORDS = {Kind.DIFFERS: "differs", Kind.MISSING: "missing", Kind.LEFT: "not removed", Kind.GONE: "entity gone"}
WHOSE = (
    "since the restore Metronome may hold something newer. Say --from metronome to keep its values, or --from ours to"
    " write those of the backup"
)
#: Entities that could not be read are shown up to here.
MOST_SHOWN = 20


@click.command("drift")
@click.option("--entity", type=click.Choice(ENTITIES), metavar="KIND", help="Only entities of this kind.")
@click.option("--id", "ids", multiple=True, metavar="UUID", help="Only this entity; several times for several.")
@click.option("--source", help="Only keys that were set by an event of this source, as far as it is still kept.")
@click.option("--contracts", is_flag=True, help="Also contracts and what is in them: a call for each customer.")
@click.option("--details", is_flag=True, help="Show each key with both values, and the event that set it.")
@format_option
@click.option("--repair", is_flag=True, help="Have the running bridge write again what was written.")
@click.option(
    "--from",
    "side",
    type=click.Choice([one.value for one in Side]),
    help="Whose value counts: ours is written again, or Metronome's is remembered. Needed for what is unsure.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
def command(
    *, contracts: bool, details: bool, form: str, repair: bool, side: str | None, yes: bool, **which: Any
) -> None:
    """Read back what was written, and show where Metronome holds something else.

    Keys that no event has set do not matter, and what is just being delivered is left out. Ends with 1 if anything
    differs, or could not be read. With --repair the running bridge writes its values again, the oldest first, unless
    newer ones come meanwhile; ends with 1 then if there is anything that this cannot repair. Keys that are unsure since
    the database was restored are only repaired if --from says whose value counts. With --from metronome its value is
    remembered, with the time of ours, and nothing is written.
    """
    if side and not repair:
        raise click.UsageError("--from goes with --repair")
    counts = Side(side) if side else None
    scope = Scope(which["entity"], tuple(one.lower() for one in which["ids"]), which["source"])
    with opened_store() as store:
        report = inspect(store, scope, contracts=contracts)
        show = show_json if form == "json" else show_text
        show(report, details=details)
        wanted = report.repairable_from(counts) if repair else []
        if repair and (unsure := len(report.repairable) - len(wanted)):
            keys = count(unsure, "key is", "keys are")
            echo(f"{keys} unsure and not repaired: {WHOSE}", err=True)
        if wanted and counts is Side.METRONOME:
            adopt(store, wanted, yes=yes)
        elif wanted:
            rewrite(store, wanted, yes=yes, ours_counts=counts is Side.OURS)
    repaired = len(wanted)
    sys.exit(1 if report.unread or len(report.differences) > repaired else 0)


def inspect(store: Store, scope: Scope, *, contracts: bool) -> Report:
    """Raises BridgeError if there is nothing of the kind that was asked for."""
    values = settings.load()
    inspector = Inspector(store.holdings, bootstrap.build_caller(values, store.gate), bootstrap.build_client(values))
    known = sum(store.holdings.counts(scope).values())
    if not known and scope != Scope():
        raise BridgeError("nothing was written yet that fits")
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("reading back", total=known)
        return inspector.inspect(scope, contracts=contracts, advance=partial(bar.advance, task))


def adopt(store: Store, differences: list[Difference], *, yes: bool) -> None:
    confirmed(f"remember Metronome's values of {keys_of(differences)}?", yes=yes)
    adopted = drift.adopt(store, differences)
    echo(f"remembered: {count(adopted, 'key', 'keys')}; nothing was written to Metronome", err=True)


def rewrite(store: Store, differences: list[Difference], *, yes: bool, ours_counts: bool) -> None:
    confirmed(f"write {keys_of(differences)} again?", yes=yes)
    apart = drift.pace(settings.load().metronome_max_calls_per_second)
    watch = progress("marking")
    marked = drift.repair(store, differences, now=bootstrap.now(), pace=apart, ours_counts=ours_counts, watch=watch)
    minutes = count(max(1, round(marked * apart / MINUTE)), "minute", "minutes")
    echo(f"the running bridge will have written them again in about {minutes}", err=True)


def show_text(report: Report, *, details: bool) -> None:
    if details and report.differences:
        console.print(listed(report.differences))
    rows = table("entity", "read", *(f"{WORDS[kind]}" for kind in Kind))
    keys = Counter((one.ours.entity, one.kind) for one in report.differences)
    for entity, number in sorted(report.read.items()):
        rows.add_row(entity, str(number), *(str(keys[entity, kind]) for kind in Kind))
    if report.read:
        console.print(rows)
    for entity, (number, why) in report.left_out.items():
        remedy = " (--contracts reads them: a call for each customer)" if why == drift.NEEDS_CUSTOMER else ""
        echo(f"{entity}: {number} not read: {why}{remedy}")
    for one in report.unread[:MOST_SHOWN]:
        echo(f"{one.entity} {one.entity_id} could not be read: {one.reason}")
    if len(report.unread) > MOST_SHOWN:
        echo(f"{len(report.unread) - MOST_SHOWN} more could not be read")
    if report.moving:
        echo(f"just being delivered, and left out: {count(report.moving, 'key', 'keys')}")
    if report.unsure:
        echo(f"unsure since a restore, until written again: {count(report.unsure, 'key', 'keys')}")
    echo(verdict(report))


def verdict(report: Report) -> str:
    if not report.differences:
        return f"no drift in {count(sum(report.read.values()), 'entity', 'entities')}"
    return f"not what was written: {keys_of(report.differences)}"


def keys_of(differences: Sequence[Difference]) -> str:
    entities = len({(one.ours.entity, one.ours.entity_id) for one in differences})
    return f"{count(len(differences), 'key', 'keys')} of {count(entities, 'entity', 'entities')}"


def listed(differences: Sequence[Difference]) -> Any:
    rows = table("entity", "id", "key", "what", "ours", "Metronome's", "event", "of", "happened (UTC)", "written (UTC)")
    for one in differences:
        ours = one.ours
        origin = f"{one.set_by.source} {one.set_by.event_id}" if one.set_by else "no longer kept"
        what = f"{WORDS[one.kind]}, unsure" if ours.unsure else WORDS[one.kind]
        texts = (ours.entity, ours.entity_id, ours.key, what, shown(ours.value), shown(one.theirs))
        times = (when(ours.stamp.occurred_at), when(ours.set_at))
        rows.add_row(*(escape(text) for text in (*texts, str(ours.stamp.event), origin, *times)))
    return rows


def shown(value: str | None) -> str:
    return "-" if value is None else value


def show_json(report: Report, *, details: bool) -> None:
    keys = Counter(one.kind for one in report.differences)
    print_json(
        {
            "read": dict(sorted(report.read.items())),
            "keys": {str(kind): keys[kind] for kind in Kind},
            "moving": report.moving,
            "unsure": report.unsure,
            "left_out": {entity: {"entities": n, "why": why} for entity, (n, why) in report.left_out.items()},
            "unread": [
                {"entity": one.entity, "entity_id": one.entity_id, "reason": one.reason} for one in report.unread
            ],
            **({"differences": [difference_as_json(one) for one in report.differences]} if details else {}),
        }
    )


def difference_as_json(one: Difference) -> dict[str, Any]:
    ours = one.ours
    return {
        "entity": ours.entity,
        "entity_id": ours.entity_id,
        "key": ours.key,
        "kind": one.kind,
        "ours": ours.value,
        "theirs": one.theirs,
        "unsure": ours.unsure,
        "event": ours.stamp.event,
        "source": one.set_by.source if one.set_by else None,
        "event_id": one.set_by.event_id if one.set_by else None,
        "occurred_at": to_iso(ours.stamp.occurred_at),
        "set_at": to_iso(ours.set_at),
    }
