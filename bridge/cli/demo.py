"""demo"""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import click
import orjson
import requests

from bridge import bootstrap, settings
from bridge.cli.common import request_from
from bridge.cli.events import show_change, show_event
from bridge.cli.send import post, sign
from bridge.cli.stage import GLANCE_SECONDS, PATIENCE_SECONDS, TIMEOUT_SECONDS, Stage, bridge, rehearsal
from bridge.cli.terminal import console, table
from bridge.errors import OperatorError
from bridge.store import Store

SAMPLES = Path(__file__).parent / "samples"
#: Source and event, in the order in which they are sent. By its own time Salesforce's is the oldest: it comes late.
EVENTS = (("stripe", "stripe.json"), ("hubspot", "hubspot.json"), ("salesforce", "salesforce.xml"))
ENTITY, CUSTOMER = "customer", "99594816-e8a5-4bca-be21-8d1de0f45120"


@click.command("demo")
@click.option("--stay", is_flag=True, help="Stay up for webhooks of your own, until Ctrl-C.")
def command(stay: bool) -> None:
    """Run everything end to end: a stand-in for Metronome, the bridge, and webhooks of three senders.

    Shows what arrived, what the mappings made of it, which calls were made and what the customer holds at the end. Ends
    with 1 if that is not what it should be.

    With --stay and METRONOME_API_TOKEN set, the bridge talks to the real Metronome, and no sample is sent.
    """
    values = settings.load()
    if stay and values.metronome_api_token:
        with bridge(os.environ, values.port) as stage:
            invite(stage)
            wait_for_interrupt()
        return
    sources = [source for source, _ in EVENTS]
    with rehearsal(SAMPLES / "metronome.json", sources, port=values.port if stay else None) as stage:
        good = play(stage)
        if stay:
            invite(stage)
            wait_for_interrupt()
    sys.exit(0 if good else 1)


def play(stage: Stage) -> bool:
    """Send the samples and account for them. Whether the customer ends up with what it should."""
    heading("What arrives")
    for name, file in EVENTS:
        send(stage, name, SAMPLES / file)
    expected = orjson.loads((SAMPLES / "expected.json").read_bytes())
    held = wait_for_values(stage, expected)
    store = bootstrap.build_store(stage.settings)
    heading("What the mappings make of it")
    for event in reversed(store.events.find()):
        show_event(event)
        for change in store.changes.of_event(event.id):
            show_change(store, change)
        console.print()
    heading("Which calls Metronome gets")
    show_calls(sandbox(stage)["calls"])
    heading(f"What the customer {CUSTOMER} holds now")
    show_fields(store, held)
    store.close()
    return verdict(held, expected)


def send(stage: Stage, name: str, path: Path) -> None:
    source = stage.mappings.sources.get(name)
    if source is None:
        raise OperatorError(f"the demo needs the shipped mappings: there is no {name} in {stage.settings.mappings}")
    request = request_from(source, path, f"/webhooks/{name}", stage.settings)
    reply = post(sign(source, request), stage.url)
    what = f"{len(request.body)} bytes of {request.headers['content-type'].partition(';')[0]}"
    console.print(f"  POST /webhooks/{name}  {what}  ->  {reply.status} {reply.body[:60]}", markup=False)


def wait_for_values(stage: Stage, expected: dict[str, str]) -> dict[str, str]:
    """What the customer holds, as soon as it is what it should be; else at the end of our patience."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (held := values_of(sandbox(stage))) != expected and time.monotonic() < deadline:
        time.sleep(GLANCE_SECONDS)
    return held


def sandbox(stage: Stage) -> dict[str, Any]:
    return dict(requests.get(f"{stage.sandbox_url}/sandbox", timeout=TIMEOUT_SECONDS).json())


def values_of(world: dict[str, Any]) -> dict[str, str]:
    found = (one for one in world["values"] if (one["entity"], one["entity_id"]) == (ENTITY, CUSTOMER))
    return dict(next(found, {"custom_fields": {}})["custom_fields"])


def show_calls(calls: list[dict[str, Any]]) -> None:
    for call in calls:
        what = call.get("custom_fields") or call.get("keys") or ""
        console.print(f"  {call['call']}  ->  {call['status']}  {', '.join(what)}", markup=False)


def show_fields(store: Store, held: dict[str, str]) -> None:
    known = store.entities.fields_of(ENTITY, CUSTOMER)
    rows = table("  key", "value", "set by event")
    for key, value in sorted(held.items()):
        number = known[key].stamp.event if key in known else None
        event = store.events.get(number) if number else None
        rows.add_row(f"  {key}", value, f"{number} ({event.source}, {event.event_type})" if event else "")
    console.print(rows)


def verdict(held: dict[str, str], expected: dict[str, str]) -> bool:
    console.print()
    wrong = sorted(key for key in held.keys() | expected.keys() if held.get(key) != expected.get(key))
    for key in wrong:
        console.print(f"{key}: {expected.get(key)!r} is expected, not {held.get(key)!r}", style="red", markup=False)
    if not wrong:
        console.print(f"[green]All {len(expected)} values are what they should be.[/]")
    return not wrong


def heading(text: str) -> None:
    console.print(f"\n[bold underline]{text}[/]\n")


def invite(stage: Stage) -> None:
    """How to go on from here."""
    heading("Your turn")
    for name, source in stage.mappings.sources.items():
        if not source.unset:
            console.print(f"  {stage.url}/webhooks/{name}  (mapping {source.path})", markup=False)
    if closed := [source.name for source in stage.mappings.closed]:
        console.print(f"  closed until their secrets are set: {', '.join(closed)}", markup=False)
    for name, secret in stage.secrets.items():
        console.print(f"  {name}={secret}  (made up for this run)", markup=False)
    target = stage.sandbox_url or stage.settings.metronome_base_url
    console.print(
        f"  Metronome: {target}" + ("/sandbox shows what it holds" if stage.sandbox_url else ""), markup=False
    )
    console.print("  Ctrl-C ends it.")


def wait_for_interrupt() -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        signal.pause()
    except KeyboardInterrupt:
        console.print("stopping")
