"""Customers by their custom fields, as remembered: what was read of them, and one row that says how far."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, fields
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, bindparam, delete, select, update

from bridge.model import IndexState
from bridge.store.database import Database, packed
from bridge.store.tables import index_entries, index_walk

#: More than enough to say that a value is not unique, and who has it.
MAX_CANDIDATES = 20
#: Rows that are removed in one transaction.
BATCH = 500

#: What a row has as JSON.
LISTS = ("keys", "complete_keys")
STATE = select(*(index_walk.c[field.name] for field in fields(IndexState)))
HOLD = STATE.with_for_update()
CANDIDATES = (
    select(index_entries.c.entity_id)
    .where(index_entries.c.key == bindparam("key_"), index_entries.c.value == bindparam("value_"))
    .order_by(index_entries.c.entity_id)
    .limit(MAX_CANDIDATES)
)
KEY = tuple(index_entries.primary_key)
#: In the order of the index, so that PostgreSQL uses it whatever it expects to find.
OLD = select(*KEY).where(index_entries.c.walk < bindparam("walk_")).order_by(index_entries.c.walk).limit(BATCH)
#: One row each: given many at once, one of the databases or the other would go through the whole table.
FORGET = delete(index_entries).where(*(column == bindparam(f"old_{column.name}") for column in KEY))


class Entry(NamedTuple):
    """A value that a customer has."""

    key: str
    value: str
    entity_id: str


class CustomerIndex:
    def __init__(self, database: Database) -> None:
        self.database = database
        insert = database.insert_rows(index_entries, list(index_entries.c))
        self.put = insert.on_conflict_do_update(index_elements=list(KEY), set_={"walk": insert.excluded.walk})

    def state(self) -> IndexState:
        with self.database.read() as connection:
            return state_of(connection.execute(STATE).mappings().one())

    def candidates(self, key: str, value: str) -> tuple[str, ...]:
        """Customers who had the value when they were last seen."""
        with self.database.read() as connection:
            return tuple(connection.execute(CANDIDATES, {"key_": key, "value_": value}).scalars())

    def change(
        self, step: Callable[[IndexState], IndexState | None], entries: Collection[Entry] = ()
    ) -> IndexState | None:
        """Replace the state by what `step` makes of it, and put in what was read; nothing at all if it makes None."""

        def change(connection: Connection) -> IndexState | None:
            after = step(state_of(connection.execute(HOLD).mappings().one()))
            if after is None:
                return None
            if entries:
                rows = [one._asdict() | {"walk": after.walk} for one in sorted(set(entries))]
                connection.execute(self.put, packed(rows))
            connection.execute(update(index_walk).values(**row_of(after)))
            return after

        return self.database.transact(change)

    def prune(self, walk: int) -> bool:
        """Remove some of what no walk from this one on has seen. Whether there may be more."""

        def remove(connection: Connection) -> bool:
            rows = connection.execute(OLD, {"walk_": walk}).mappings()
            old = [{f"old_{name}": value for name, value in row.items()} for row in rows]
            if old:
                connection.execute(FORGET, old)
            return len(old) == BATCH

        return self.database.transact(remove)


def state_of(row: Mapping[Any, Any]) -> IndexState:
    lists = {name: tuple(orjson.loads(row[name])) for name in LISTS}
    return IndexState(**{**row, **lists})


def row_of(state: IndexState) -> dict[str, Any]:
    given = asdict(state)
    return given | {name: orjson.dumps(given[name]).decode() for name in LISTS}
