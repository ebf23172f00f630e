"""The gate as remembered: one row that all replicas change one after the other."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from typing import Any, TypeVar

from sqlalchemy import Connection, select, update

from bridge.model import Cause, GateState
from bridge.store.database import Database
from bridge.store.tables import gate

T = TypeVar("T")

COLUMNS = [gate.c[field.name] for field in fields(GateState)]
READ = select(*COLUMNS)


class Gate:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.hold = select(*COLUMNS, database.now).with_for_update()

    def state(self) -> GateState:
        return self.database.look(lambda connection: state_of(tuple(connection.execute(READ).one())))

    def change(self, step: Callable[[GateState, int], tuple[GateState, T]], now: int) -> T:
        """Replace the state by what `step` makes of it and of the time, which is the database's own if it has one."""

        def change(connection: Connection) -> T:
            row = tuple(connection.execute(self.hold, {"now": now}).one())
            before = state_of(row[:-1])
            after, result = step(before, row[-1])
            if after != before:
                connection.execute(update(gate).values(**asdict(after)))
            return result

        return self.database.transact(change)


def state_of(row: Sequence[Any]) -> GateState:
    closed_until, cause, *rest = row
    return GateState(closed_until, Cause(cause) if cause else None, *rest)
