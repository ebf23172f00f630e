"""What every sender promises, on every captured request of tests/fixtures/senders."""

from contextlib import suppress
from dataclasses import replace

import orjson
import pytest

from bridge.errors import NotVerifiedError, SignError
from bridge.model import Request
from bridge.senders import SENDERS
from bridge.times import SECOND
from tests.senders.fixtures import (
    FOLDER,
    Fixture,
    check,
    load_all,
    load_everything,
    micros,
    with_header,
    with_members,
    with_parameter,
)
from tests.senders.words import disclosed

FIXTURES = load_everything()
#: How many places of a long body are changed.
PLACES = 97
#: All but those that anybody may post to.
PROVEN = [name for name, sender in SENDERS.items() if not sender.open]


def those(condition=lambda fixture: True):
    return pytest.mark.parametrize("fixture", [one for one in FIXTURES if condition(one)], ids=repr)


def proven(condition=lambda fixture: True):
    return those(lambda fixture: fixture.sender.name in PROVEN and condition(fixture))


def refused(fixture: Fixture, **changed) -> NotVerifiedError:
    """It is refused, and the message helps nobody who should not be helped."""
    with pytest.raises(NotVerifiedError) as caught:
        fixture.unwrap(**changed)
    assert not disclosed(str(caught.value), fixture)
    return caught.value


@pytest.mark.parametrize("name", SENDERS)
def test_every_sender_has_captured_requests_and_each_is_expected(name):
    found = {path.stem for path in (FOLDER / name).glob("*.http")}
    assert found
    assert found == {fixture.name for fixture in load_all(name)}


@those()
def test_every_request_says_where_its_shape_comes_from(fixture):
    """A shape that is invented proves nothing of the vendor: Intercom's deleted companies had an id that they lack."""
    assert fixture.origin in ("capture", "documentation")
    assert fixture.url.startswith("https://") or (FOLDER.parents[2] / fixture.url).is_file()


@those(lambda fixture: fixture.origin == "capture")
def test_a_captured_request_names_the_very_file(fixture):
    assert fixture.url.startswith("https://github.com/")
    assert fixture.url.endswith((".json", ".xml", ".py"))


@those()
def test_a_genuine_request_is_accepted(fixture):
    events = fixture.unwrap()
    assert len(events) == (fixture.count or len(fixture.events))
    for event, expected in zip(events, fixture.events, strict=fixture.count is None):
        check(event, expected)


@those()
def test_reading_alone_finds_the_same_events(fixture):
    assert fixture.sender.read(fixture.request, fixture.arrival) == fixture.unwrap()


@those()
def test_each_event_of_a_batch_has_an_id_of_its_own(fixture):
    events = fixture.unwrap()
    assert len({event.event_id for event in events}) == len(events)


@those()
def test_a_repeat_is_the_same_event(fixture):
    again = [event.event_id for event in fixture.unwrap(now=fixture.arrival + SECOND)]
    same = again == [event.event_id for event in fixture.unwrap()]
    assert same is not fixture.repeats_look_new


@those()
def test_what_is_accepted_can_be_stored(fixture):
    for event in fixture.unwrap():
        assert orjson.loads(orjson.dumps(event.payload)) == event.payload


@those()
def test_a_retired_secret_may_stand_first_and_last(fixture):
    expected = fixture.unwrap()
    assert fixture.unwrap(secrets=[fixture.other_secret, *fixture.secrets]) == expected
    assert fixture.unwrap(secrets=[*fixture.secrets, fixture.other_secret]) == expected


@proven()
def test_each_of_several_secrets_is_enough(fixture):
    accepted = [secret for secret in fixture.secrets if fixture.unwrap(secrets=[secret]) is not None]
    assert accepted == fixture.secrets


@proven()
def test_another_secret_is_refused(fixture):
    refused(fixture, secrets=[fixture.other_secret])


@proven(lambda fixture: not fixture.private_keys)
def test_only_a_comparison_in_constant_time_lets_a_request_in(fixture, monkeypatch):
    """If that says no, so does the sender. Ed25519 is verified by the library, and compares no secret."""
    compared = []

    def compare(one, other):
        compared.append(one)
        return False

    monkeypatch.setattr("bridge.senders.signatures.hmac.compare_digest", compare)
    refused(fixture)
    assert compared


@proven()
def test_no_secret_at_all_refuses(fixture):
    refused(fixture, secrets=[])


@pytest.mark.parametrize("name", PROVEN)
def test_an_empty_secret_proves_nothing(name):
    for fixture in load_all(name):
        with suppress(SignError):
            forged = fixture.sender.sign(fixture.request, "", fixture.arrival)
            refused(fixture, request=forged, secrets=[""])


@those(lambda fixture: fixture.signs_body)
def test_one_changed_byte_is_refused(fixture):
    body = fixture.request.body
    for place in range(0, len(body), max(1, len(body) // PLACES)):
        changed = bytearray(body)
        changed[place] ^= 1 << place % 8
        refused(fixture, request=replace(fixture.request, body=bytes(changed)))


@those(lambda fixture: fixture.signs_body)
@pytest.mark.parametrize("change", [lambda b: b + b"\n", lambda b: b[:-1], lambda b: b[1:], lambda _: b""])
def test_one_byte_more_or_less_is_refused(fixture, change):
    refused(fixture, request=replace(fixture.request, body=change(fixture.request.body)))


@proven()
def test_a_proof_that_is_missing_or_empty_is_refused(fixture):
    assert fixture.proof_headers or fixture.proof_parameters or fixture.proof_paths
    for value in (None, ""):
        if fixture.proof_paths:
            refused(fixture, request=with_members(fixture.request, fixture.proof_paths, lambda _, value=value: value))
        for name in fixture.proof_headers:
            refused(fixture, request=with_header(fixture.request, name, value))
        for name in fixture.proof_parameters:
            refused(fixture, request=with_parameter(fixture.request, name, value))


@proven()
def test_a_garbled_proof_is_refused(fixture):
    for name in fixture.proof_headers:
        refused(fixture, request=with_header(fixture.request, name, fixture.request.header(name)[::-1]))
    for name in fixture.proof_parameters:
        refused(fixture, request=with_parameter(fixture.request, name, fixture.request.query[name][::-1]))
    if fixture.proof_paths:
        refused(fixture, request=with_members(fixture.request, fixture.proof_paths, lambda proof: proof[::-1]))


@those(lambda fixture: fixture.signed_at)
@pytest.mark.parametrize("seconds", [-299, 299])
def test_a_time_within_five_minutes_is_accepted(fixture, seconds):
    assert fixture.unwrap(now=micros(fixture.signed_at) + seconds * SECOND)


@those(lambda fixture: fixture.signed_at)
@pytest.mark.parametrize("seconds", [-301, 301])
def test_an_expired_or_future_time_is_refused(fixture, seconds):
    error = refused(fixture, now=micros(fixture.signed_at) + seconds * SECOND)
    assert "301 seconds" in str(error)


@proven()
def test_what_we_sign_we_accept(fixture):
    for secret in fixture.secrets:
        signed = fixture.sign(unproven(fixture), secret)
        assert signed.body == fixture.request.body or fixture.proof_paths
        assert len(fixture.unwrap(request=signed, secrets=[secret])) == len(fixture.unwrap())


def unproven(fixture: Fixture) -> Request:
    request = fixture.request
    for name in fixture.proof_headers:
        request = with_header(request, name, None)
    for name in fixture.proof_parameters:
        request = with_parameter(request, name, None)
    return with_members(request, fixture.proof_paths, lambda _: None) if fixture.proof_paths else request


@pytest.mark.parametrize("name", SENDERS)
def test_a_sender_that_may_not_tell_the_time_says_so(name):
    silent = [
        fixture.name
        for fixture in load_all(name)
        if not fixture.sender.undated
        and any(event["at"] is None and "problem" not in event for event in fixture.events)
    ]
    assert silent == []


@pytest.mark.parametrize("name", SENDERS)
def test_an_answer_is_never_empty(name):
    answer = SENDERS[name].answer
    assert answer.body
    assert answer.content_type


@those()
def test_a_header_that_authenticates_is_not_kept(fixture):
    """An id is no secret, even if it is signed."""
    proofs = {header.lower() for header in fixture.proof_headers if not header.endswith("-id")}
    assert proofs.isdisjoint(fixture.sender.kept_headers)


@those()
def test_a_well_formed_secret_meets_no_objection(fixture):
    secrets = (*fixture.secrets, fixture.other_secret)
    assert [secret for secret in secrets if fixture.sender.check_secret(secret)] == []
