"""What is odd about Dataverse: https://learn.microsoft.com/power-apps/developer/data-platform/use-webhooks"""

import json
from typing import Any

import pytest
from marshmallow import ValidationError

from bridge.errors import NotThisShapeError
from bridge.model import Event, Request
from bridge.payload import MISSING, walk
from bridge.senders import SENDERS
from bridge.times import MILLISECOND

DATAVERSE = SENDERS["dataverse"]
MILLISECONDS = 1795341600000
NOW = MILLISECONDS * MILLISECOND
ZERO = "00000000-0000-0000-0000-000000000000"
CONTEXT = {
    "MessageName": "Update",
    "PrimaryEntityName": "account",
    "PrimaryEntityId": "6d81597f-0f9f-e711-8122-000d3aa2331c",
    "OperationId": "4af10637-4ea2-e711-8122-000d3aa2331c",
    "OperationCreatedOn": f"/Date({MILLISECONDS}-0700)/",
}


def read(**changed: Any) -> Event:
    body = json.dumps({**CONTEXT, **changed}).encode()
    [event] = DATAVERSE.bound({}).read(Request("POST", "/", {}, body), NOW)
    return event


def row(columns: dict[str, Any], **labels: str) -> dict[str, Any]:
    """As in an image, where the serializer writes no __type."""
    return {"Attributes": pairs(columns), "FormattedValues": pairs(labels), "LogicalName": "account", "Id": "1"}


def pairs(members: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": name, "value": value} for name, value in members.items()]


def updated(target: Any, *images: Any) -> dict[str, Any]:
    named = {f"image{number}": image for number, image in enumerate(images)}
    return read(InputParameters=pairs({"Target": target}), PostEntityImages=pairs(named)).payload


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"Value": 3}, 3),
        ({"__type": "OptionSetValue:http://schemas.microsoft.com/xrm/2011/Contracts", "Value": 0}, 0),
        ({"__type": "Money:http://schemas.microsoft.com/xrm/2011/Contracts", "Value": 2154.32}, 2154.32),
        ({"__type": "BooleanManagedProperty:x", "Value": True, "CanBeChanged": False}, True),
        ({"AttributeLogicalName": "name", "EntityLogicalName": "contact", "Value": {"Value": 7}}, 7),
        ([{"Value": 1}, {"Value": 2}], [1, 2]),
        ({"Id": "1", "LogicalName": "account", "Name": None}, {"Id": "1", "LogicalName": "account"}),
        ({"Id": "1", "LogicalName": "account", "Name": "A"}, {"Id": "1", "LogicalName": "account", "Name": "A"}),
        ({"EntityName": "contact", "Entities": [{"Attributes": pairs({"a": 1})}]}, [{"a": 1}]),
        (f"/Date({MILLISECONDS})/", "2026-11-22T10:00:00Z"),
        (f"/Date({MILLISECONDS + 7}+0530)/", "2026-11-22T10:00:00.007000Z"),
        ("/Date(-2208988800000)/", "1900-01-01T00:00:00Z"),
        ("/Date(999999999999999)/", "/Date(999999999999999)/"),
        ("/Date(now)/", "/Date(now)/"),
        (f"on /Date({MILLISECONDS})/", f"on /Date({MILLISECONDS})/"),
        (None, None),
        (True, True),
        ([], []),
        ({}, {}),
        (2**53 + 1, 2**53 + 1),
    ],
)
def test_a_wrapped_value_becomes_a_plain_one(value, found):
    assert updated(row({"column": value}))["record"] == {"column": found}


def test_one_path_serves_target_and_images():
    for payload in (updated(row({"tier": "Gold"})), updated(None, row({"tier": "Gold"}))):
        assert payload["record"]["tier"] == "Gold"


def test_what_was_changed_to_null_stays_null_and_what_was_not_sent_is_missing():
    """Images leave out what is null."""
    payload = updated(row({"tier": None}), row({"name": "Acme"}))
    assert payload["record"] == {"name": "Acme", "tier": None}
    assert "seats" not in payload["record"]


def test_the_target_wins_over_an_image():
    assert updated(row({"tier": "Gold"}), row({"tier": "Silver", "name": "Acme"}))["record"]["tier"] == "Gold"


@pytest.mark.parametrize(
    ("target", "image", "labels"),
    [
        (row({"tier": {"Value": 2}}), row({"tier": {"Value": 2}}, tier="Gold"), {"tier": "Gold"}),
        (row({}), row({"tier": {"Value": 2}}, tier="Gold"), {"tier": "Gold"}),
        (row({"tier": {"Value": 2}}), row({"tier": {"Value": 1}}, tier="Silver"), {}),
        (row({"tier": {"Value": 2}}, tier="Gold"), row({"tier": {"Value": 1}}, tier="Silver"), {"tier": "Gold"}),
        (row({"tier": {"Value": 2}}), row({}), {}),
        (row({"tier": None}), row({"tier": {"Value": 1}}, tier="Silver"), {"tier": None}),
        (row({"tier": None}), row({}), {"tier": None}),
    ],
)
def test_a_label_is_that_of_the_value_it_stands_for_or_missing(target, image, labels):
    assert updated(target, image)["labels"] == labels


NAMELESS = {"Id": "7", "LogicalName": "systemuser", "Name": None}
JANE = {**NAMELESS, "Name": "Jane"}


@pytest.mark.parametrize(
    ("target", "image", "found"),
    [
        (NAMELESS, JANE, "Jane"),
        (JANE, NAMELESS, "Jane"),
        (NAMELESS, {**JANE, "Id": "8"}, MISSING),
        (NAMELESS, NAMELESS, MISSING),
        (None, JANE, None),
    ],
)
def test_a_name_that_was_not_looked_up_is_missing_and_not_null(target, image, found):
    """Null removes the key: the name of a lookup is null where nobody asked for it."""
    payload = updated(row({"ownerid": target}), row({"ownerid": image}))
    assert walk(payload, ["record", "ownerid", "Name"]) == found


def test_what_exceeded_the_size_is_missing_and_removes_nothing():
    payload = read().payload
    assert (payload["record"], payload["labels"], payload["before"]) == ({}, {}, {})


def test_the_context_of_the_context_is_left_out():
    assert "ParentContext" not in read(ParentContext={"MessageName": "Update"}).payload


def test_another_attempt_is_the_same_event_and_another_operation_is_not():
    first, second = read(), read(Depth=2)
    assert first.event_id == second.event_id == CONTEXT["OperationId"]
    assert read(OperationId="5bf10637-4ea2-e711-8122-000d3aa2331c").event_id != first.event_id


def test_without_a_system_job_each_context_is_an_event_of_its_own():
    ids = {read(OperationId=ZERO, RequestId=number).event_id for number in (1, 2, 2)}
    assert len(ids) == 2


@pytest.mark.parametrize("created", [None, "", "soon", 7, [], "/Date(-62135596800000)/", "/Date(999999999999999)/"])
def test_a_step_that_does_not_say_when_is_as_new_as_its_row_or_refused(created):
    dated = pairs({"Target": row({"modifiedon": f"/Date({MILLISECONDS})/"})})
    assert read(OperationCreatedOn=created, InputParameters=dated).occurred_at == NOW
    with pytest.raises(NotThisShapeError, match="register the step as asynchronous"):
        read(OperationCreatedOn=created)


@pytest.mark.parametrize("name", ["PrimaryEntityName", "MessageName"])
@pytest.mark.parametrize("value", [None, "", 1.5, [], "x" * 256])
def test_a_context_without_table_or_message_is_refused(name, value):
    with pytest.raises(NotThisShapeError, match=name):
        read(**{name: value})


@pytest.mark.parametrize("strange", [None, 7, "x", {}, [7], [[]], [{}], [{"key": 7, "value": 1}], [{"key": "Target"}]])
def test_collections_of_another_shape_have_nothing(strange):
    names = ("InputParameters", "PostEntityImages", "PreEntityImages")
    assert read(**dict.fromkeys(names, strange)).payload["record"] == {}


@pytest.mark.parametrize(
    ("options", "target"),
    [
        ({}, "/in?code=a%20key"),
        ({"parameter": "Key1"}, "/in?Key1=a%20key"),
        ({"header": "Key1"}, "/in"),
        ({"header": "Key1", "prefix": "Key "}, "/in"),
    ],
)
def test_a_key_goes_where_it_was_registered(options, target):
    sender = DATAVERSE.bound(DATAVERSE.options().load(options))
    signed = sender.sign(Request("POST", "/in", {}, json.dumps(CONTEXT).encode()), "a key", NOW)
    assert signed.target == target
    assert sender.unwrap(signed, ["a key"], NOW)


@pytest.mark.parametrize("options", [{"header": "a", "parameter": "b"}, {"event_id": "x"}, {"code": "x"}])
def test_an_option_that_cannot_be_is_refused(options):
    with pytest.raises(ValidationError):
        DATAVERSE.options().load(options)
