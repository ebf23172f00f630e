"""The bridge, stopped short at one point of its work: python -m tests.faults.failpoints POINT COMMAND...

POINT is a step and a moment, such as settle-within: before the step, within its transaction just before that is
committed, or after that. Whoever gets there first makes the file FAILPOINT_FLAG, and its whole process group is hit by
FAILPOINT_SIGNAL.
"""

import functools
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from sqlalchemy import Engine, event

from bridge import bootstrap
from bridge.cli import main
from bridge.metronome.client import Client
from bridge.pipeline import janitor
from bridge.store.entities import Entities
from bridge.store.events import Events
from bridge.store.gate import Gate
from bridge.store.references import References
from bridge.store.retention import Retention

FLAG, SIGNAL = "FAILPOINT_FLAG", "FAILPOINT_SIGNAL"
BEFORE, WITHIN, AFTER = "before", "within", "after"

#: What a webhook goes through on its way, and what operators and the janitor do to it afterwards.
STEPS = {
    "store": (Events, "store"),
    "translate": (Events, "commit"),
    "claim": (Entities, "claim"),
    "set": (Client, "set_values"),
    "delete": (Client, "delete_values"),
    "settle": (Entities, "settle"),
    "ask": (References, "claim"),
    "lookup": (Client, "customers"),
    "answer": (References, "answer"),
    "gate": (Gate, "change"),
    "replay": (Events, "replay"),
    "prune": (Retention, "remove_events"),
    "forget": (Retention, "remove_attempts"),
}
CALLS = ("set", "delete", "lookup")
#: On PostgreSQL these are one statement, which is its own transaction: there is nothing within it to be stopped at.
SINGLE = ("store", "claim", "ask", "forget")


def moments(step: str, database: str) -> Iterator[str]:
    yield BEFORE
    if step not in CALLS and not (database == "postgresql" and step in SINGLE):
        yield WITHIN
    yield AFTER


class Step(threading.local):
    """Where a thread is."""

    inside = False
    committed = False


def plant(point: str, reached: Callable[[], None]) -> None:
    name, moment = point.split("-")
    owner, method = STEPS[name]
    original = getattr(owner, method)
    step = Step()

    @functools.wraps(original)
    def watched(*args, **given):
        if moment == BEFORE:
            reached()
        step.inside, step.committed = True, False
        try:
            result = original(*args, **given)
        finally:
            step.inside = False
        if moment == AFTER:
            reached()
        return result

    def committing(_connection) -> None:
        if moment == WITHIN and step.inside:
            reached()
        step.committed = True

    def beginning(_connection) -> None:
        """A second transaction would leave half of the step undone if nothing came after the first."""
        if moment == AFTER and step.inside and step.committed:
            reached()

    setattr(owner, method, watched)
    event.listen(Engine, "commit", committing)
    event.listen(Engine, "begin", beginning)


def strike() -> None:
    """The first to come is hit. The others go on."""
    try:
        Path(os.environ[FLAG]).touch(exist_ok=False)
    except FileExistsError:
        return
    os.killpg(0, signal.Signals[os.environ.get(SIGNAL, "SIGKILL")])


if __name__ == "__main__":
    # So that nobody has to wait long for what was claimed when it struck, nor for the janitor.
    bootstrap.LEASE_MARGIN_SECONDS = 1.0
    janitor.REST_SECONDS = 0.1
    plant(sys.argv.pop(1), strike)
    main()
