"""keys"""

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click
from rich.markup import escape

from bridge import bootstrap, settings
from bridge.cli.common import confirmed, count, format_option, progress, sound_mappings
from bridge.cli.terminal import console, echo, print_json, secho, table
from bridge.errors import StoreError
from bridge.mapping.keys import Declared, Key, Plan, compare, declared
from bridge.metronome.client import Client
from bridge.pipeline import keys
from bridge.pipeline.caller import Caller, OwnGate
from bridge.pipeline.gatekeeper import Gate
from bridge.pipeline.keys import Addition, Result
from bridge.settings import Settings
from bridge.store import Store


@click.group("keys")
def command() -> None:
    """The custom field keys that the mapping files set, against those that Metronome allows.

    Metronome has an allow-list for each kind of entity, and refuses every key that is not on it.
    """


@dataclass(frozen=True, slots=True)
class Desk:
    """The plan, and how to ask Metronome for more."""

    caller: Caller
    client: Client
    plan: Plan


@contextmanager
def desk() -> Iterator[Desk]:
    values = settings.load()
    wanted = declared(sound_mappings(values).sources.values())
    with gate_of(values) as gate:
        caller, client = bootstrap.build_caller(values, gate), bootstrap.build_client(values)
        yield Desk(caller, client, compare(wanted, keys.allowed(caller, client)))


@contextmanager
def gate_of(values: Settings) -> Iterator[Gate]:
    """The bridge's own, so that one budget holds for both; where there is no database, one for this command alone."""
    store = bootstrap.build_store(values)
    try:
        yield store.gate if has_tables(store) else OwnGate()
    finally:
        store.close()


def has_tables(store: Store) -> bool:
    try:
        if store.database.is_there:
            store.check()
            return True
    except StoreError as error:
        secho(f"METRONOME_MAX_CALLS_PER_SECOND holds for this command alone: {error}", fg="yellow", err=True)
    return False


@command.command("plan")
@format_option
def plan(form: str) -> None:
    """Show which keys are missing, which are unused, and which differ in uniqueness.

    Changes nothing. Ends with 1 if any is missing: made for continuous integration. Needs no database.
    """
    with desk() as found:
        made = found.plan
    if form == "json":
        print_json(plan_as_json(made))
    else:
        show_plan(made)
    sys.exit(1 if made.missing else 0)


@command.command("apply")
@format_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def apply(form: str, yes: bool) -> None:
    """Add the keys that are missing. Never removes a key, nor changes one.

    A key that somebody adds in the meantime is fine. Ends with 1 if Metronome refuses any.
    """
    with desk() as found:
        made = found.plan
        if form == "text":
            show_plan(made)
        additions: Sequence[Addition] = ()
        if made.missing:
            confirmed(f"add {count(len(made.missing), 'key', 'keys')} to Metronome's allow-lists?", yes=yes)
            additions = keys.add(found.caller, found.client, made.missing, progress("adding"))
    results = Counter(one.result for one in additions)
    if form == "json":
        print_json({str(result): additions_as_json(additions, result, made) for result in Result})
    else:
        show_additions(additions)
        echo(", ".join(f"{results[result]} {result}" for result in Result))
    sys.exit(1 if results[Result.REFUSED] else 0)


def show_plan(made: Plan) -> None:
    rows = table("", "entity", "key", "unique", "set by")
    for key, one in made.missing.items():
        rows.add_row("[red]missing[/]", key.entity, escape(key.name), yes_no(one.unique), origins(one))
    for key, one in made.differing.items():
        unique = f"{yes_no(one.unique)} (in Metronome: {yes_no(not one.unique)})"
        rows.add_row("[yellow]differs[/]", key.entity, escape(key.name), unique, origins(one))
    for key, unique_there in made.unused.items():
        rows.add_row("unused", key.entity, escape(key.name), yes_no(unique_there), "no rule")
    if rows.row_count:
        console.print(rows)
    echo(
        f"{len(made.missing)} missing, {len(made.differing)} with another uniqueness,"
        f" {len(made.unused)} unused, {made.fitting} as declared"
    )
    if made.missing:
        echo("`metronome-bridge keys apply` adds what is missing")
    if made.differing:
        echo("uniqueness can be changed in Metronome only by removing a key, and all its values with it")


def show_additions(additions: Sequence[Addition]) -> None:
    for one in additions:
        reason = f": {one.reason}" if one.reason else ""
        console.print(f"{one.result}: {one.key.name} of {one.key.entity}{reason}", markup=False)


def plan_as_json(made: Plan) -> dict[str, Any]:
    return {
        "missing": [key_as_json(key, one) for key, one in made.missing.items()],
        "differing": [key_as_json(key, one) for key, one in made.differing.items()],
        "unused": [
            {"entity": key.entity, "key": key.name, "enforce_uniqueness": unique} for key, unique in made.unused.items()
        ],
        "fitting": made.fitting,
    }


def key_as_json(key: Key, one: Declared) -> dict[str, Any]:
    """As it is declared, not as it is in Metronome."""
    rules = [origin._asdict() for origin in one.origins]
    return {"entity": key.entity, "key": key.name, "enforce_uniqueness": one.unique, "rules": rules}


def additions_as_json(additions: Sequence[Addition], result: Result, made: Plan) -> list[Mapping[str, Any]]:
    return [
        {**key_as_json(one.key, made.missing[one.key]), **({"reason": one.reason} if one.reason else {})}
        for one in additions
        if one.result is result
    ]


def origins(one: Declared) -> str:
    return escape("\n".join(map(str, one.origins)))


def yes_no(value: bool) -> str:
    return "yes" if value else "no"
