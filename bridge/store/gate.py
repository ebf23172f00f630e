"""The gates as remembered: rows that all replicas change one after the other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any, TypeVar

import orjson
from sqlalchemy import Column, Connection, ScalarSelect, delete, select, update

from bridge.gates import Cause, Endpoint, Gates, GateState
from bridge.store.database import Database
from bridge.store.lanes import as_json
from bridge.store.tables import endpoint_gates, gate

T = TypeVar("T")

NAMES = [field.name for field in fields(GateState)]
COLUMNS = [gate.c[name] for name in NAMES]
READ = select(*COLUMNS)
OF_ENDPOINTS: list[Column[Any]] = [endpoint_gates.c[name] for name in NAMES]


class Gate:
    """The gate for all calls."""

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


class EndpointGates:
    """The gates of single endpoints. One that is wide open has no row, so that there is nothing to read."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.hold = select(*OF_ENDPOINTS).with_for_update()
        self.time = select(database.now)
        insert = database.insert(endpoint_gates)
        replaced = {name: insert.excluded[name] for name in NAMES}
        self.put = insert.on_conflict_do_update(index_elements=[endpoint_gates.c.endpoint], set_=replaced)

    def states(self) -> Mapping[Endpoint, GateState]:
        """Those that are not wide open."""
        with self.database.read() as connection:
            rows = connection.execute(select(endpoint_gates.c.endpoint, *OF_ENDPOINTS))
            return {Endpoint(name): state_of(columns) for name, *columns in map(tuple, rows)}

    def change(self, endpoint: Endpoint, step: Callable[[GateState, int], tuple[GateState, T]], now: int) -> T:
        """As `Gate.change`, for the gate of one endpoint."""
        ours = endpoint_gates.c.endpoint == endpoint

        def change(connection: Connection) -> T:
            row = connection.execute(self.hold.where(ours)).one_or_none()
            before = GateState() if row is None else state_of(tuple(row))
            after, result = step(before, int(connection.execute(self.time, {"now": now}).scalar_one()))
            if after.is_wide_open and row is not None:
                connection.execute(delete(endpoint_gates).where(ours))
            elif after != before:
                connection.execute(self.put, {"endpoint": endpoint, **asdict(after)})
            return result

        return self.database.transact(change)

    def open_all(self) -> None:
        """Open every gate, that for all calls too. What the budget has paid for stays paid."""
        wide_open = {name: value for name, value in asdict(GateState()).items() if name != "next_call_at"}

        def step(connection: Connection) -> None:
            connection.execute(update(gate).values(**wide_open))
            connection.execute(delete(endpoint_gates))

        self.database.transact(step)


def all_states(database: Database) -> ScalarSelect[str]:
    """A statement's part that reads the gates of endpoints as one JSON array."""
    columns = (endpoint_gates.c.endpoint, *OF_ENDPOINTS)
    return as_json(database, *columns)


def gates_of(row: Sequence[Any], endpoints: str | None) -> Gates:
    """What the columns of the gate and `all_states` say."""
    return Gates(state_of(row), {Endpoint(name): state_of(rest) for name, *rest in orjson.loads(endpoints or "[]")})


def state_of(row: Sequence[Any]) -> GateState:
    closed_until, cause, *rest = row
    return GateState(closed_until, Cause(cause) if cause else None, *rest)
