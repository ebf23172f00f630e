"""Counters over all processes, for what happens rarely: rows, counted up in the transaction that they are about."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection, select

from bridge.store.database import Database, packed
from bridge.store.tables import counters

#: Changes that were dated by receipt because their own time lies in the future.
DATED_BY_RECEIPT: Final = "dated_by_receipt"


class Counters:
    def __init__(self, database: Database) -> None:
        self.database = database
        insert = database.insert_rows(counters, list(counters.c))
        self.put = insert.on_conflict_do_update(
            index_elements=list(counters.primary_key), set_={"number": counters.c.number + insert.excluded.number}
        )

    def count(self, connection: Connection, name: str, sources: Iterable[str]) -> None:
        """Count one more for each of these sources, each as often as it is given."""
        rows = [{"name": name, "source": source, "number": n} for source, n in sorted(Counter(sources).items())]
        if rows:
            connection.execute(self.put, packed(rows))

    def of(self, name: str) -> dict[str, int]:
        """Returns the counts by source."""
        with self.database.read() as connection:
            rows = connection.execute(select(counters.c.source, counters.c.number).where(counters.c.name == name))
            return {row.source: row.number for row in rows}
