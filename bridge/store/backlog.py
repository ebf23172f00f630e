"""What waits: in front of a webhook that comes now, and for something that no time alone brings."""

from typing import Any

from sqlalchemy import BigInteger, ScalarSelect, Select, bindparam, select

from bridge.model import Wait
from bridge.store.counts import counted, is_only
from bridge.store.database import Database
from bridge.store.tables import RECEIVED, entities, events, references


class Backlog:
    def __init__(self, database: Database) -> None:
        self.database = database
        now = bindparam("now", type_=BigInteger)
        self.due: Select[Any] = select(
            counted(RECEIVED, events.c.source, events.c.id)
            + counted(entities.c.due_at <= now, entities.c.lane, entities.c.due_at)
            + counted(references.c.due_at <= now, references.c.lane, references.c.due_at)
        )
        self.held_back: Select[Any] = select(*(held_back(database, what) for what in Wait))

    def count(self, now: int) -> int:
        """Events to be translated, entities and lookups that are due: of each no more than `MOST_COUNTED`."""
        with self.database.read() as connection:
            return int(connection.execute(self.due, {"now": now}).scalar_one())

    def waiting(self) -> dict[Wait, int]:
        """How many entities and lookups wait for each of these: of both no more than `MOST_COUNTED`."""
        with self.database.read() as connection:
            found = dict(zip(Wait, connection.execute(self.held_back).one(), strict=True))
        return {what: number for what, number in found.items() if number}


def held_back(database: Database, what: Wait) -> Any:
    numbers: list[ScalarSelect[int]] = [
        counted(is_only(database, queue.c.waits_for, what), queue.c.waits_for) for queue in (entities, references)
    ]
    return numbers[0] + numbers[1]
