"""What stands in front of a webhook that comes now."""

from typing import Any

from sqlalchemy import BigInteger, Select, bindparam, select

from bridge.store.counts import counted
from bridge.store.database import Database
from bridge.store.tables import RECEIVED, entities, events, references


class Backlog:
    def __init__(self, database: Database) -> None:
        self.database = database
        now = bindparam("now", type_=BigInteger)
        self.waiting: Select[Any] = select(
            counted(RECEIVED, events.c.id)
            + counted(entities.c.due_at <= now, entities.c.due_at)
            + counted(references.c.due_at <= now, references.c.due_at)
        )

    def count(self, now: int) -> int:
        """Events to be translated, entities and lookups that are due: of each no more than `MOST_COUNTED`."""
        with self.database.read() as connection:
            return int(connection.execute(self.waiting, {"now": now}).scalar_one())
