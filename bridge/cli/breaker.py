"""breaker"""

from typing import Any

import click
import structlog

from bridge import bootstrap
from bridge.cli.common import confirmed, count, format_option, opened_store
from bridge.cli.terminal import echo, print_json
from bridge.gates import GateState
from bridge.store import Store
from bridge.times import to_iso

log = structlog.get_logger()


@click.group("breaker")
def command() -> None:
    """Show what holds back calls to Metronome, and let them go on.

    A gate closes when Metronome limits calls, does not answer or refuses the token, for all calls or for one endpoint.
    It lets a probe through after a minute at the latest, and opens by itself when that succeeds.
    """


@command.command("show")
@format_option
def show(form: str) -> None:
    """Show every gate that is not open, and what waits for a permission, a unique value or a rate limit.

    Exits with 1 if a gate is closed or anything waits.
    """
    with opened_store() as store:
        found = report(store)
    if form == "json":
        print_json(found)
    else:
        for line in lines(found):
            echo(line)
    raise SystemExit(1 if found["gates"] or found["waiting"] else 0)


@command.command("open")
@click.option("--yes", is_flag=True, help="Do not ask.")
def open_(yes: bool) -> None:
    """Open every gate now, and try at once what waits for a permission or a rate limit.

    For when the cause is gone and you do not want to wait, for instance after a new token or a permission was given.
    If it is not gone, the gates close again.
    """
    with opened_store() as store:
        for line in lines(report(store)):
            echo(line)
        confirmed("open all gates?", yes=yes)
        store.endpoint_gates.open_all()
        hurried = store.backlog.try_now(bootstrap.now())
        store.signal.announce()
    log.warning("gates opened by an operator", hurried=hurried)
    echo(f"all gates are open; tried at once: {count(hurried, 'entity or lookup', 'entities and lookups')}")


def report(store: Store) -> dict[str, Any]:
    """Returns the gates that are not wide open, by call, and what waits, by what it waits for."""
    states = {"all calls": store.gate.state()}
    states |= {endpoint.call: state for endpoint, state in store.endpoint_gates.states().items()}
    return {
        "gates": {name: described(state) for name, state in states.items() if not state.is_wide_open},
        "waiting": store.backlog.explained(),
    }


def described(state: GateState) -> dict[str, Any]:
    return {
        "state": "half open" if state.is_open(bootstrap.now()) else "closed",
        "until": to_iso(state.closed_until),
        "cause": state.cause,
        "reason": state.reason,
    }


def lines(found: dict[str, Any]) -> list[str]:
    gates = [
        f"{name}: {gate['state']} until {gate['until']} ({gate['cause']}): {gate['reason']}"
        for name, gate in found["gates"].items()
    ]
    waiting = [
        f"waiting for a {what}: {one['count']}, for instance: {one['reason']}" for what, one in found["waiting"].items()
    ]
    return [*gates, *waiting] or ["all gates are open, and nothing waits"]
