"""What Metronome holds as far as we know, read entity by entity: for whoever compares it with what Metronome says."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

import orjson
from sqlalchemy import ColumnElement, Row, and_, bindparam, distinct, false, func, select, true, update

from bridge.model import Stamp
from bridge.store.database import Database
from bridge.store.tables import OPEN, changes, entities, events, fields

#: Entities that are read in one query.
PAGE = 100


@dataclass(frozen=True, slots=True)
class Held:
    """One key of one entity, as we know it."""

    entity: str
    entity_id: str
    key: str
    #: None: removed.
    value: str | None
    stamp: Stamp
    #: When it was written.
    set_at: int
    doubted: bool
    #: True if Metronome may hold something newer: the database was restored from a backup.
    unsure: bool = False


class SetBy(NamedTuple):
    """The event that set a key: its source, and its id there."""

    source: str
    event_id: str


@dataclass(frozen=True, slots=True)
class Scope:
    """Which entities: all that fit everything that is said."""

    entity: str | None = None
    ids: tuple[str, ...] = ()
    #: Of which some key was set by an event of this source that is still kept.
    source: str | None = None

    def conditions(self) -> Iterable[ColumnElement[bool]]:
        if self.entity is not None:
            yield fields.c.entity == self.entity
        if self.ids:
            yield fields.c.entity_id.in_(self.ids)
        if self.source is not None:
            yield fields.c.event.in_(select(events.c.id).where(events.c.source == self.source))


# Statements are built once: building one takes longer than running it.
OF_THESE = and_(fields.c.entity == bindparam("entity_"), fields.c.entity_id.in_(bindparam("ids", expanding=True)))
ROWS = select(fields).where(OF_THESE).order_by(fields.c.entity_id, fields.c.key)
#: With what would explain that Metronome has something else: the entity is in the queue.
ROWS_NOW = (
    select(fields, events.c.source, events.c.event_id, entities.c.entity_id.is_not(None).label("queued"))
    .outerjoin(events, events.c.id == fields.c.event)
    .outerjoin(entities, and_(entities.c.entity == fields.c.entity, entities.c.entity_id == fields.c.entity_id))
    .where(OF_THESE)
)
WORK = select(changes.c.entity_id, changes.c.sets, changes.c.removes).where(
    OPEN, changes.c.entity == bindparam("entity_"), changes.c.entity_id.in_(bindparam("ids", expanding=True))
)
NEXT_IDS = (
    select(fields.c.entity_id)
    .where(fields.c.entity == bindparam("entity_"), fields.c.entity_id > bindparam("after"))
    .distinct()
    .order_by(fields.c.entity_id)
    .limit(PAGE)
)
#: The keys of a page of entities, from the first to the last of their ids.
MAKE_UNSURE = (
    update(fields)
    .where(fields.c.entity == bindparam("entity_"), fields.c.entity_id.between(bindparam("first"), bindparam("last")))
    .values(unsure=true(), doubted=false())
)
#: Only what is still as it was when it was compared.
ADOPT = (
    update(fields)
    .where(
        *(fields.c[name] == bindparam(f"{name}_") for name in ("entity", "entity_id", "key")),
        *(fields.c[name] == bindparam(f"{name}_") for name in ("occurred_at", "event", "change", "set_at")),
    )
    .values(value=bindparam("new_value"), unsure=false(), doubted=false())
)


class Holdings:
    def __init__(self, database: Database) -> None:
        self.database = database

    def counts(self, scope: Scope) -> dict[str, int]:
        """How many entities of each kind there are."""
        number = func.count(distinct(fields.c.entity_id)).label("number")
        counted = select(fields.c.entity, number).where(*scope.conditions()).group_by(fields.c.entity)
        with self.database.read() as connection:
            return {row.entity: row.number for row in connection.execute(counted.order_by(fields.c.entity))}

    def pages(self, entity: str, scope: Scope) -> Iterator[dict[str, list[Held]]]:
        """Every entity of one kind with its keys, up to PAGE at a time: never more than that is in memory."""
        fitting = select(fields.c.entity_id).where(*scope.conditions(), fields.c.entity == entity)
        in_order = fitting.distinct().order_by(fields.c.entity_id).limit(PAGE)
        after, more = "", True
        while more:
            with self.database.read() as connection:
                ids = connection.scalars(in_order.where(fields.c.entity_id > after)).all()
                rows = connection.execute(ROWS, {"entity_": entity, "ids": ids})
                page = {one: list(keys) for one, keys in groupby(map(held_of, rows), attrgetter("entity_id"))}
            more = len(ids) == PAGE
            if page:
                yield page
                after = ids[-1]

    def make_unsure(self) -> Iterator[int]:
        """Have no key count as held by Metronome until it is written again. Yields how many keys each step marked.

        Each keeps its value and its time. What was to be written again is not: Metronome may hold something newer.
        """
        for entity in self.counts(Scope()):
            after = ""
            while page := self.next_ids(entity, after):
                after = page[-1]
                yield self.make_page_unsure({"entity_": entity, "first": page[0], "last": after})

    def next_ids(self, entity: str, after: str) -> Sequence[str]:
        given = {"entity_": entity, "after": after}
        return self.database.look(lambda connection: connection.scalars(NEXT_IDS, given).all())

    def make_page_unsure(self, given: Mapping[str, str]) -> int:
        return self.database.transact_one(lambda connection: connection.execute(MAKE_UNSURE, given).rowcount)

    def adopt(self, found: Sequence[tuple[Held, str | None]]) -> int:
        """Take what Metronome holds of these keys for what was written, each with the time that it has.

        Returns how many: a key that was written since it was compared is left alone.
        """
        given = [
            {
                "entity_": held.entity,
                "entity_id_": held.entity_id,
                "key_": held.key,
                **{f"{name}_": value for name, value in held.stamp._asdict().items()},
                "set_at_": held.set_at,
                "new_value": value,
            }
            for held, value in sorted(found, key=lambda one: (one[0].entity, one[0].entity_id, one[0].key))
        ]
        return self.database.transact(lambda one: sum(one.execute(ADOPT, row).rowcount for row in given))

    def settled(self, suspects: Sequence[Held]) -> dict[Held, SetBy | None]:
        """Those that are still as they were, and that no work which is under way is about; what set them, if kept."""
        wanted, found = set(suspects), dict[Held, SetBy | None]()
        for entity in sorted({one.entity for one in suspects}):
            ids = sorted({one.entity_id for one in suspects if one.entity == entity})
            for start in range(0, len(ids), PAGE):
                found |= self.settled_of(entity, ids[start : start + PAGE], wanted)
        return found

    def settled_of(self, entity: str, ids: Sequence[str], wanted: set[Held]) -> dict[Held, SetBy | None]:
        given = {"entity_": entity, "ids": ids}
        with self.database.read() as connection:
            # Work first: what ends before the second query is seen there as another value or time.
            worked_on = {
                (row.entity_id, key)
                for row in connection.execute(WORK, given)
                for key in keys_of(row.sets, row.removes)
            }
            return {
                held: SetBy(row.source, row.event_id) if row.source is not None else None
                for row in connection.execute(ROWS_NOW, given)
                if (held := held_of(row)) in wanted
                and (held.entity_id, held.key) not in worked_on
                and not (held.doubted and row.queued)
            }


def held_of(row: Row[Any]) -> Held:
    stamp = Stamp(row.occurred_at, row.event, row.change)
    return Held(row.entity, row.entity_id, row.key, row.value, stamp, row.set_at, row.doubted, row.unsure)


def keys_of(sets: str, removes: str) -> set[str]:
    return {*orjson.loads(sets), *orjson.loads(removes)}
