"""restored, against a store."""

import pytest

from bridge.errors import OperatorError
from bridge.times import SECOND, to_iso
from tests.store.test_entities import put
from tests.store.test_held import deliver
from tests.support.making import ENTITY_ID, NOW, asking


@pytest.fixture
def restored(run, store, database_url):
    def invoke(*arguments, **given):
        return run("restored", *arguments, **{"DATABASE_URL": database_url, **given})

    return invoke


def as_of(micros):
    return "--as-of", to_iso(micros)[:19]


def test_it_asks_first_and_says_what_it_did_and_what_to_do_next(restored, store):
    put(store, asking("evt_1", {"tier": "gold", "plan": "pro"}))
    deliver(store)
    assert restored(*as_of(NOW), answer="n\n").exit_code == 1
    assert not store.entities.fields_of("customer", ENTITY_ID)["tier"].unsure
    result = restored(*as_of(NOW), "--yes")
    assert result.exit_code == 0
    assert "unsure until written again: 2 keys" in result.stdout
    assert "send again what it sent since 2026-11-22T10:00:00" in result.stdout
    assert ["stripe", "stripe", "2026-11-22", "10:00:00"] in [line.split() for line in result.stdout.splitlines()]
    assert all(held.unsure for held in store.entities.fields_of("customer", ENTITY_ID).values())


def test_it_says_what_may_be_delivered_too_early_and_that_the_bridge_has_run_since(restored, store):
    put(store, asking("evt_1", {"tier": "gold"}))
    result = restored(*as_of(NOW - 60 * SECOND), "--yes")
    assert "changes that were not delivered yet: 1." in result.stdout
    assert "the bridge has run since it was restored, or the backup is newer" in result.stdout


def test_of_an_empty_database_nothing_becomes_unsure(restored):
    result = restored(*as_of(NOW), "--yes")
    assert (result.exit_code, "0 keys" in result.stdout, "no event is here" in result.stdout) == (0, True, True)


def test_a_backup_of_the_future_is_refused(restored):
    assert isinstance(restored("--as-of", "2999-01-01").exception, OperatorError)
