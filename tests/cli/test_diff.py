"""diff, on both databases."""

import json
import re
import uuid

import psycopg
import pytest
from sqlalchemy.engine import make_url

from bridge.bootstrap import MappingsError
from bridge.errors import BridgeError, OperatorError
from bridge.model import Event
from bridge.times import DAY
from tests.conftest import ROOT
from tests.support.bridges import STRIPE
from tests.support.making import ENTITY_ID, NOW, OTHER_ID

UPPER = STRIPE.replace("tier: data.object.metadata.tier", "tier: upper(data.object.metadata.tier)")


def posted(event_id, at, tier, customer=ENTITY_ID, **content):
    about = {"metadata": {"metronome_id": customer, "tier": tier}, **content}
    return Event(event_id, "customer.updated", {"data": {"object": about}}, at)


@pytest.fixture
def filled(store):
    """Of two customers, the second with a name that would like to be read by the terminal."""
    store.events.add("stripe", [posted("e1", NOW, "silver")], {}, NOW)
    store.events.add("stripe", [posted("e2", NOW + 1, "gold")], {}, NOW + DAY)
    other = posted("e3", NOW + 2, "Gold", OTHER_ID, name="[bold]\x1b[31m\nAcme")
    store.events.add("stripe", [other], {}, NOW + 2 * DAY)
    store.events.add("stripe", [posted("e4", NOW + 3, "gold", "no UUID")], {}, NOW + 2 * DAY)
    return store


@pytest.fixture
def diff(run, filled, database_url, tmp_path):
    """Compares with the mapping files whose texts are given, or with the path that is."""

    def invoke(*arguments, path=None, url=database_url, **written):
        place = tmp_path / "candidate"
        place.mkdir(exist_ok=True)
        for name, text in written.items():
            (place / f"{name}.yaml").write_text(text)
        secrets = {"STRIPE_WEBHOOK_SECRET": ""}
        return run("diff", "--mappings", path or place, *arguments, DATABASE_URL=url, **secrets)

    return invoke


def words(output):
    return [line.split() for line in output.splitlines()]


def test_what_would_change_is_counted_by_entity_and_key(diff):
    result = diff(stripe=UPPER.replace("name: data.object.name", "title: data.object.name"))
    assert result.exit_code == 1
    assert "rules that differ: customer" in result.output
    assert "4 of stripe (received between 2026-11-22 10:00:00 and 2026-11-24 10:00:00 UTC" in result.output
    lines = words(result.output)
    assert ["entity", "key", "added", "changed", "removed", "unmapped"] in lines
    assert ["customer", "tier", "0", "2", "0", "0"] in lines
    assert ["customer", "name", "0", "0", "0", "1"] in lines
    assert ["customer", "title", "1", "0", "0", "0"] in lines
    assert "4 values of 2 entities differ" in result.output
    assert "1 events fail with both" in result.output
    assert "gold" not in result.output


def test_details_show_values_on_one_line_each_with_the_event_that_sets_them(diff):
    result = diff("--details", stripe=UPPER.replace("name: data", "name: upper(data").replace("t.name", "t.name)"))
    assert result.output.splitlines()[-3:] == [
        f'customer {OTHER_ID} name: "[bold]\\u001b[31m\\nAcme" -> "[BOLD]\\u001b[31M\\nACME"   (event 3)',
        f'customer {OTHER_ID} tier: "Gold" -> "GOLD"   (event 3)',
        f'customer {ENTITY_ID} tier: "gold" -> "GOLD"   (event 2)',
    ]


def test_details_can_be_limited_and_picked(diff):
    assert (
        len([line for line in diff("--details", "--limit", 1, stripe=UPPER).output.splitlines() if "->" in line]) == 2
    )
    assert diff("--key", "name", stripe=UPPER).exit_code == 0
    assert "1 values" not in diff("--key", "tier", "--entity", "contract", stripe=UPPER).output


def test_programs_read_one_json_object_a_line(diff):
    result = diff("--format", "json", "--details", stripe=UPPER)
    assert result.exit_code == 1
    summary, *details = map(json.loads, result.output.splitlines())
    assert summary["events"] == {"stripe": 4}
    assert summary["span"] == {"first": 1, "last": 4, "since": NOW, "until": NOW + 2 * DAY}
    assert (summary["differences"], summary["entities"]) == (2, 2)
    assert summary["keys"] == [
        {"entity": "customer", "key": "tier", "added": 0, "changed": 2, "removed": 0, "unmapped": 0}
    ]
    assert details[1] == {
        "entity": "customer",
        "reference": ENTITY_ID,
        "entity_id": ENTITY_ID,
        "key": "tier",
        "kind": "changed",
        "before": "gold",
        "after": "GOLD",
        "event": 2,
    }


@pytest.mark.parametrize(
    ("text", "fail_on", "code"),
    [
        (STRIPE, "changes", 0),
        (STRIPE + "# words\n", "changes", 0),
        (UPPER, "changes", 1),
        (UPPER, "failures", 0),
        (UPPER, "never", 0),
        (
            STRIPE.replace("coupon: data.object.coupon", "coupon: {path: data.object.coupon, when_missing: error}"),
            "failures",
            1,
        ),
        (STRIPE.replace("entity: customer", "when: data.object.name\n    entity: customer"), "failures", 0),
    ],
)
def test_the_exit_code_says_whether_anything_differs_or_fails(diff, text, fail_on, code):
    assert diff("--fail-on", fail_on, stripe=text).exit_code == code


def test_failures_are_told_with_their_reason_and_an_example(diff):
    result = diff(
        stripe=STRIPE.replace("name: data.object.name", "name: {path: data.object.name, when_missing: error}")
    )
    assert "3 events would fail that do not now, or for another reason:" in result.output
    assert "event 1" in result.output
    assert "rule 'customer': field name: data.object.name is missing" in result.output


def test_one_changed_file_stands_for_itself(diff, run, put, filled):
    (run.folder / "hubspot.yaml").write_text(STRIPE)
    assert diff(path=put("stripe.yaml", UPPER)).exit_code == 1
    assert "its mapping file is gone" not in diff(path=put("stripe.yaml", UPPER)).output
    assert "hubspot: its mapping file is gone" in diff(stripe=UPPER).output


@pytest.mark.parametrize(
    ("said", "events"),
    [("since 2026-11-23", 3), ("until 2026-11-23", 1), ("last 2", 2), ("since 2026-11-23 last 1", 1)],
)
def test_which_events_can_be_said_in_words(diff, said, events):
    result = diff("--events", said, "--format", "json", stripe=UPPER)
    assert json.loads(result.output)["events"] == {"stripe": events}


def test_nothing_to_compare_with_is_no_success(diff):
    result = diff("--events", "since 2090-01-01", stripe=UPPER)
    assert isinstance(result.exception, BridgeError)
    assert "no stored event fits" in str(result.exception)


def test_a_source_without_events_is_named(diff):
    result = diff("--source", "hubspot", stripe=UPPER, hubspot=STRIPE)
    assert result.exit_code == 0
    assert "no stored event of hubspot fits" in result.output


@pytest.mark.parametrize(
    ("arguments", "told"), [(("--events", "7d"), "'since 7d'"), (("--source", "strpe"), "'stripe'")]
)
def test_what_is_not_understood_is_an_error_with_what_is_accepted(diff, arguments, told):
    result = diff(*arguments, stripe=UPPER)
    assert isinstance(result.exception, BridgeError)
    assert told in str(result.exception)


def test_a_candidate_that_does_not_lint_is_not_compared(diff):
    result = diff(stripe=STRIPE.replace("entity: customer", "entity: custmer"))
    assert isinstance(result.exception, MappingsError)
    assert isinstance(result.exception, OperatorError)
    assert "did you mean 'customer'?" in str(result.exception)


def test_a_path_that_is_not_there_is_a_wrong_command_line(diff, tmp_path):
    assert diff(path=tmp_path / "nowhere").exit_code == 2


def test_it_needs_to_read_three_tables_and_no_more(diff, filled, database_url):
    """By the very statements of docs/rollout.md."""
    if filled.database.is_sqlite:
        pytest.skip("SQLite has no roles")
    (grants,) = re.findall(r"```sql\n(.*?)```", (ROOT / "docs" / "rollout.md").read_text(), re.DOTALL)
    role = f"reader_{uuid.uuid4().hex}"
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(grants.replace("metronome_bridge_reader", role))
        try:
            result = diff("--details", stripe=UPPER, url=str(make_url(database_url).set(username=role)))
        finally:
            connection.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
    assert result.exit_code == 1
    assert "2 values of 2 entities differ" in result.output
