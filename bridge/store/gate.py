"""The gate: whether calls to Metronome may be made, for all replicas at once."""

from dataclasses import dataclass

from sqlalchemy import select, update

from bridge.store.database import Database
from bridge.store.tables import gate


@dataclass(frozen=True, slots=True)
class GateState:
    #: 0: open.
    closed_until: int = 0
    reason: str | None = None
    #: How often it closed since it last was open.
    tries: int = 0

    def is_open(self, now: int) -> bool:
        return self.closed_until <= now


STATE = select(gate.c.closed_until, gate.c.reason, gate.c.tries)


class Gate:
    def __init__(self, database: Database) -> None:
        self.database = database

    def state(self) -> GateState:
        with self.database.read() as connection:
            row = connection.execute(STATE).one_or_none()
        return GateState(*row) if row else GateState()

    def close(self, until: int, reason: str) -> None:
        """Close it, or keep it closed for longer."""
        with self.database.write() as connection:
            connection.execute(
                update(gate)
                .where(gate.c.closed_until < until)
                .values(closed_until=until, reason=reason, tries=gate.c.tries + 1)
            )

    def open(self) -> None:
        with self.database.write() as connection:
            connection.execute(update(gate).values(closed_until=0, reason=None, tries=0))
