"""A filled database of each older version becomes one of ours, with everything in it."""

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, insert, select

from bridge.model import ChangeState, Field, Stamp
from bridge.store import open_store
from bridge.store.entities import Claim
from bridge.store.schema import config
from bridge.store.tables import metadata
from bridge.times import HOUR
from tests.support.making import ENTITY_ID, NOW, OTHER_ID

REVISIONS = [script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()][::-1]

WHO = {"entity": "customer", "entity_id": ENTITY_ID}
EVENT = {"source": "stripe", "event_type": "customer.updated", "occurred_at": NOW, "received_at": NOW, "headers": "{}"}
CHANGE = {"source": "stripe", "rule": "customer", "removes": "[]", "occurred_at": NOW, "created_at": NOW, **WHO}
CHANGE |= {"reference_kind": "id", "reference_value": ENTITY_ID}
ALIAS = {"entity": "customer", "kind": "ingest_alias", "value": "cus_1"}
FREE = {"lease": None, "leased_until": 0, "tries": 0, "last_error": None}

#: What the first version remembers: an event that is delivered, one that waits, one that failed, and a lookup.
ROWS = {
    "events": [
        {**EVENT, "id": 1, "event_id": "evt_1", "payload": "{}", "state": "translated", "digest": "d", "reason": None},
        {**EVENT, "id": 2, "event_id": "evt_2", "payload": "{}", "state": "translated", "digest": "d", "reason": None},
        {**EVENT, "id": 3, "event_id": "evt_3", "payload": '"ü"', "state": "failed", "digest": None, "reason": "no"},
    ],
    "changes": [
        {**CHANGE, "id": 1, "event": 1, "sets": '{"tier":"gold"}', "state": "delivered", "reason": None},
        {**CHANGE, "id": 2, "event": 2, "sets": '{"tier":"silver"}', "state": "pending", "reason": None},
    ],
    "entities": [{**WHO, **FREE, "due_at": NOW}],
    "fields": [{**WHO, "key": "tier", "value": "gold", "occurred_at": NOW, "event": 1, "change": 1, "set_at": NOW}],
    "attempts": [
        {
            **WHO,
            "id": 1,
            "call": "set",
            "keys": '["tier"]',
            "status": 200,
            "verdict": "accepted",
            "message": "",
            "started_at": NOW,
            "duration": 5,
            "changes": "[1]",
        }
    ],
    "references": [{**ALIAS, **FREE, "entity_id": OTHER_ID, "checked_at": NOW, "due_at": None}],
}


@pytest.fixture(params=REVISIONS)
def filled(request, tmp_path):
    """A store whose tables are of that version, with what the first version wrote into them."""
    store = open_store(f"sqlite:///{tmp_path}/bridge.db", 2, HOUR)
    with store.database.write() as connection:
        command.upgrade(config(connection), request.param)
        tables = MetaData()
        tables.reflect(connection)
        for name, rows in ROWS.items():
            connection.execute(insert(tables.tables[name]), rows)
    yield store
    store.close()


def test_an_upgrade_keeps_every_row_of_an_older_version(filled):
    assert filled.upgrade()[1] == REVISIONS[-1]
    filled.check()
    with filled.database.read() as connection:
        for name, rows in ROWS.items():
            table = metadata.tables[name]
            columns = [table.c[column] for column in rows[0]]
            found = connection.execute(select(*columns).order_by(*table.primary_key)).mappings()
            assert [dict(row) for row in found] == rows


def test_what_an_older_version_left_to_do_is_done(filled):
    filled.upgrade()
    (claim,) = filled.entities.claim("ours", 10, NOW, NOW + HOUR)
    work = filled.entities.load(claim, NOW)
    assert claim == Claim("customer", ENTITY_ID, "ours", NOW + HOUR, 0)
    assert [(change.id, change.state, change.values) for change in work.changes] == [
        (2, ChangeState.PENDING, {"tier": "silver"})
    ]
    assert work.fields == {"tier": Field("gold", Stamp(NOW, 1, 1))}
    assert [event.event_id for event in filled.events.find()] == ["evt_3", "evt_2", "evt_1"]


def test_an_upgraded_database_is_like_a_new_one(filled):
    filled.upgrade()
    with filled.database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata) == []
