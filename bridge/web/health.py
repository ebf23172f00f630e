"""GET /healthz: the process and its threads are alive. GET /readyz: it can take webhooks and deliver.

Whether a thread is alive does not depend on the database: an outage of it must not have processes restarted.
"""

from typing import Any

import orjson
import structlog
from flask import Blueprint, Response, current_app

from bridge.bootstrap import Bridge, now
from bridge.errors import StoreError
from bridge.gates import GateState
from bridge.mapping.files import Mappings
from bridge.mapping.rules import Source
from bridge.store import Store
from bridge.times import to_iso

log = structlog.get_logger()
blueprint = Blueprint("health", __name__)


#: The kinds of threads without which nothing is delivered.
DELIVERING = {"dispatcher", "translator", "delivery"}


@blueprint.get("/healthz")
def healthz() -> Response:
    """503 if a thread hangs, which only a new process can help."""
    bridge: Bridge = current_app.extensions["bridge"]
    if late := bridge.supervisor.late():
        ages = {name: round(age, 1) for name, age in late.items()}
        log.error("threads hang: restart this process", threads=ages)
        return Response(orjson.dumps({"status": "stuck", "threads": ages}), 503, content_type="application/json")
    return Response(b'{"status":"ok"}', content_type="application/json")


@blueprint.get("/readyz")
def readyz() -> Response:
    """200 if webhooks can be stored, and delivered by this process where it delivers at all.

    A closed gate delays delivery and loses nothing, so it does not count against.
    """
    bridge: Bridge = current_app.extensions["bridge"]
    body: dict[str, Any] = {"status": "ready", "store": "ok"}
    body |= {"digest": bridge.mappings.digest, "mappings": mappings(bridge)}
    try:
        bridge.store.check()
        body |= delivery(bridge.store)
    except StoreError as error:
        log.warning("store unavailable", path="/readyz", error=str(error))
        body |= {"status": "not ready", "store": "unavailable: the log says why"}
    body["threads"] = threads(bridge)
    if out := sorted(DELIVERING.intersection(bridge.supervisor.out())):
        body |= {"status": "not ready", "delivery": f"no thread works: {', '.join(out)}"}
    return Response(orjson.dumps(body), 200 if body["status"] == "ready" else 503, content_type="application/json")


def threads(bridge: Bridge) -> dict[str, Any]:
    """Each with the seconds since its last heartbeat or, while it is busy, since it took its job."""
    return {
        pulse.name: {"state": str(pulse.state), "age_seconds": round(pulse.age, 1), "restarts": pulse.restarts}
        for pulse in bridge.supervisor.pulses()
    }


def mappings(bridge: Bridge) -> dict[str, Any]:
    """What this process uses, and what it cannot use."""
    live = bridge.mappings
    shown = {name: {"digest": source.digest, **state(live, source)} for name, source in live.sources.items()}
    for name, problems in live.refused.items():
        shown.setdefault(name, {"digest": None, "state": "refused"})["refused"] = [str(one) for one in problems]
    return shown


def state(live: Mappings, source: Source) -> dict[str, Any]:
    if source.name in live.leaving:
        return {"state": "leaving", "until": to_iso(live.leaving[source.name]), "unset": source.unset}
    return {"state": "closed" if source.unset else "open", "unset": source.unset}


def delivery(store: Store) -> dict[str, Any]:
    """What holds back calls to Metronome: all of them, those of one endpoint, or those about single entities."""
    found: dict[str, Any] = {"gate": gate(store.gate.state())}
    if endpoints := {one.call: gate(state) for one, state in store.endpoint_gates.states().items()}:
        found["endpoints"] = endpoints
    if waiting := store.backlog.explained():
        found["waiting"] = waiting
    return found


def gate(state: GateState) -> dict[str, Any]:
    if state.is_wide_open:
        return {"state": "open"}
    word = "reopening" if state.is_open(now()) else "closed"
    return {"state": word, "cause": state.cause, "until": to_iso(state.closed_until), "reason": state.reason}
