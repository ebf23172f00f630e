"""Changes that wait for a unique value which another entity holds."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import BindParameter, Connection, and_, bindparam, select, update

from bridge.store.database import Database
from bridge.store.entities import Claim, claim_of
from bridge.store.tables import AGE, CONFLICTING, changes, entities, fields

#: Stands for a key of a change where it is not known which one it is that another entity holds.
ANY_KEY = "*"
#: How many waiting changes of one key are looked at for a swap.
MOST_RIVALS = 500


class Rival(NamedTuple):
    """An entity that waits for a unique value of a key."""

    entity_id: str
    #: The value it waits for.
    wanted: str
    #: The value that Metronome holds of it, as far as we know.
    held: str | None


# Statements are built once: building one takes longer than running it.
WAITING = and_(
    CONFLICTING,
    changes.c.entity == bindparam("entity_"),
    changes.c.conflict.in_(bindparam("keys", expanding=True)),
)
OTHERS = and_(WAITING, changes.c.entity_id != bindparam("entity_id_"))
WOKEN = select(changes.c.id, changes.c.entity_id, changes.c.sets).where(OTHERS).order_by(changes.c.id)
FREE = update(changes).where(changes.c.id.in_(bindparam("numbers", expanding=True))).values(retry_at=None)
IDS: BindParameter[Any] = bindparam("ids", expanding=True)
OF_THESE = and_(entities.c.entity == bindparam("entity_"), entities.c.entity_id.in_(IDS))
DUE = select(entities.c.entity_id).where(OF_THESE).order_by(entities.c.entity_id).with_for_update(skip_locked=True)
WAKE = update(entities).where(OF_THESE, entities.c.due_at > bindparam("now")).values(due_at=bindparam("now"))
RIVALS = (
    select(changes.c.entity_id, changes.c.sets, fields.c.value)
    .outerjoin(
        fields,
        and_(
            fields.c.entity == changes.c.entity,
            fields.c.entity_id == changes.c.entity_id,
            fields.c.key == bindparam("key_"),
        ),
    )
    .where(WAITING)
    .order_by(*AGE)
    .limit(MOST_RIVALS)
)
IDLE = (
    select(entities.c.entity, entities.c.entity_id)
    .where(OF_THESE, entities.c.leased_until <= bindparam("now"))
    .order_by(entities.c.entity_id)
    .with_for_update(skip_locked=True)
)
LEASE = (
    update(entities)
    .where(OF_THESE)
    .values(lease=bindparam("new_lease"), leased_until=bindparam("until"))
    .returning(*(entities.c[name] for name in ("entity", "entity_id", "tries", "doubts", "isolation")))
)


class Conflicts:
    def __init__(self, database: Database) -> None:
        self.database = database

    def wake(self, entity: str, entity_id: str, keys: Collection[str], now: int) -> int:
        """Have changes of other entities tried again at once that wait for these keys. Returns how many changes."""
        given = {"entity_": entity, "entity_id_": entity_id, "keys": [*sorted(keys), ANY_KEY]}
        with self.database.read() as connection:
            woken = [
                row for row in connection.execute(WOKEN, given) if not set(keys).isdisjoint(orjson.loads(row.sets))
            ]
        if not woken:
            return 0
        ids = sorted({row.entity_id for row in woken})

        def step(connection: Connection) -> None:
            connection.execute(DUE, {"entity_": entity, "ids": ids})
            connection.execute(WAKE, {"entity_": entity, "ids": ids, "now": now})
            connection.execute(FREE, {"numbers": [row.id for row in woken]})

        self.database.transact(step)
        return len(woken)

    def rivals(self, entity: str, key: str) -> list[Rival]:
        """The entities that wait for a unique value of this key, each with the newest value it waits for."""
        with self.database.read() as connection:
            rows = connection.execute(RIVALS, {"entity_": entity, "keys": [key, ANY_KEY], "key_": key})
            wanted = {row.entity_id: (orjson.loads(row.sets).get(key), row.value) for row in rows}
        return [Rival(one, value, held) for one, (value, held) in wanted.items() if value is not None]

    def claim(self, entity: str, ids: Sequence[str], lease: str, now: int, until: int) -> list[Claim]:
        """Lease all of these entities, or none. Returns them in the order of `ids`; empty if one is leased already."""
        given: dict[str, Any] = {"entity_": entity, "ids": list(ids), "now": now, "new_lease": lease, "until": until}
        with self.database.write() as connection:
            if len(connection.execute(IDLE, given).all()) < len(ids):
                return []
            claims = {row.entity_id: claim_of(row, lease, until) for row in connection.execute(LEASE, given)}
        return [claims[one] for one in ids]

    def try_now(self, entity: str, ids: Sequence[str], key: str) -> None:
        """Have what these entities wait with for this key loaded by the next delivery."""
        free = update(changes).where(WAITING, changes.c.entity_id.in_(IDS)).values(retry_at=None)
        given = {"entity_": entity, "keys": [key, ANY_KEY], "ids": list(ids)}
        self.database.transact(lambda connection: connection.execute(free, given))
