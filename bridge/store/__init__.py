"""What we remember: the only place that knows SQLAlchemy."""

from collections.abc import Iterable
from dataclasses import dataclass

from bridge.store import pooler
from bridge.store.backlog import Backlog
from bridge.store.captures import Captures
from bridge.store.changes import Changes
from bridge.store.conflicts import Conflicts
from bridge.store.counters import Counters
from bridge.store.database import Database
from bridge.store.entities import Entities, Queue
from bridge.store.events import Events
from bridge.store.floors import Floors
from bridge.store.gate import EndpointGates, Gate
from bridge.store.glance import QUEUES, Glance, Glances
from bridge.store.held import Holdings
from bridge.store.history import History
from bridge.store.index import CustomerIndex
from bridge.store.lanes import ENTITIES, LOOKUPS, REFERENCES
from bridge.store.letters import Letters
from bridge.store.references import References
from bridge.store.retention import Retention
from bridge.store.schema import check, upgrade
from bridge.store.signal import Signal, signal_of
from bridge.store.stamps import Stamps
from bridge.supervisor import Supervisor

__all__ = ["Store", "open_store"]


@dataclass(frozen=True, slots=True)
class Store:
    database: Database
    events: Events
    history: History
    changes: Changes
    entities: Entities
    conflicts: Conflicts
    stamps: Stamps
    holdings: Holdings
    references: References
    counters: Counters
    index: CustomerIndex
    letters: Letters
    captures: Captures
    gate: Gate
    endpoint_gates: EndpointGates
    glances: Glances
    backlog: Backlog
    retention: Retention
    signal: Signal

    def check(self) -> None:
        """Raises StoreError unless the database answers and has our tables, SettingError if it is behind a pooler."""
        pooler.check(self.database)
        check(self.database)

    def upgrade(self) -> tuple[str | None, str]:
        """Bring the tables up to date. The versions before and after. Raises as `check` does."""
        pooler.check(self.database)
        return upgrade(self.database)

    def expect(self, sources: Iterable[str]) -> None:
        """Looks for work need not find out first that these sources exist."""
        for source in sources:
            for name in ("events", "entities"):
                self.glances.floors[name].learn([source])
            self.glances.floors["references"].learn(f"{endpoint} {source}" for endpoint in LOOKUPS)

    def glance(self, now: int) -> Glance:
        return self.glances.take(now)

    def close(self) -> None:
        self.signal.close()
        self.database.close()


def open_store(
    url: str,
    connections: int,
    lookup_cache: int,
    supervisor: Supervisor | None = None,
    *,
    pooled_by: str = "none",
    server_clock: bool = False,
) -> Store:
    """Connects when first used. `lookup_cache`: for how many microseconds answers to lookups are trusted.

    `pooled_by`, `server_clock`: see `Database`.
    """
    database = Database(url, connections, pooler=pooled_by, server_clock=server_clock)
    floors = {queue.table.name: Floors() for queue in QUEUES}
    queue = Queue(database, floors[ENTITIES.table.name])
    references = References(database, queue, lookup_cache, floors[REFERENCES.table.name])
    changes = Changes(database, queue, references)
    events = Events(database, changes)
    return Store(
        database=database,
        events=events,
        history=History(database, events),
        changes=changes,
        entities=Entities(database),
        conflicts=Conflicts(database),
        stamps=Stamps(database),
        holdings=Holdings(database),
        references=references,
        counters=changes.counters,
        index=CustomerIndex(database),
        letters=Letters(database),
        captures=Captures(database),
        gate=Gate(database),
        endpoint_gates=EndpointGates(database),
        glances=Glances(database, floors),
        backlog=Backlog(database),
        retention=Retention(database),
        signal=signal_of(database, supervisor),
    )
