"""Whatever comes in, a sender answers with events that can be stored or with a SenderError that discloses nothing."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.errors import SenderError
from bridge.model import Event, Request
from bridge.senders import SENDERS
from bridge.times import LATEST
from tests.senders.fixtures import Fixture, load_all, load_everything, with_header, with_parameter

repeatable = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])

MARKER = "jane-doe-4711"
ODD_NUMBERS = ["", " ", "0", "-1", "1e9", "9" * 16, "9" * 400, "\u0663", "NaN"]
ODD_SIGNATURES = ["t=", "t=1,v1=", "t=1,t=2,v1=00", "v1,", "v1,=", "v1a,AA==", "v1", "v2", "sha256=", "=", ",", ",,,"]
ODD_LOGINS = ["Basic", "Basic =", "Basic Og==", "Bearer ", ":", "%", "%00", "é", "\x00"]
ODD_DATES = ["Mon, 02 Jan 99999999999 22:04:05 GMT", "Mon, 02 Jan 2006 22:04:05 +9999999999999999", "Mon, 02 Jan 2006"]
ODD_ISO = ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-11-22T24:00:00Z", "2026-02-30"]
#: What a header or a query parameter may hold that is hard to read.
ODD_TEXTS = [*ODD_NUMBERS, *ODD_SIGNATURES, *ODD_LOGINS, *ODD_DATES, *ODD_ISO]
ODD_NAMES = ["", "0", "\x00", "\u2028", "x" * 300, MARKER, f"{MARKER}\n"]
LEAKS = [[MARKER], {MARKER: MARKER}, f"2026-11-22T10:00:00 {MARKER}", f"2026-99-99T{MARKER}"]
#: What a field of a payload may hold that nobody expects.
ODD_VALUES = [None, True, 0, -1, 0.5, 1e308, 2**63, 2**64 - 1, [], {}, *ODD_NAMES, *LEAKS, *ODD_ISO]

texts = st.one_of(st.sampled_from(ODD_TEXTS), st.text(st.characters(max_codepoint=255)))
values = st.recursive(
    st.one_of(st.sampled_from([value for value in ODD_VALUES if not isinstance(value, dict | list)]), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(), inner, max_size=4)),
    max_leaves=12,
)
fixtures = load_everything()
#: One for each body, and none of the long batches.
bodies = list({(one.sender.name, one.request.body): one for one in fixtures if not one.count}.values())
by_sender = pytest.mark.parametrize("name", SENDERS)
by_proven_sender = pytest.mark.parametrize("name", [name for name, sender in SENDERS.items() if not sender.open])


@st.composite
def strange_requests(draw: Any, name: str) -> tuple[Fixture, Request]:
    """A captured request with some of its headers, its query and its body replaced."""
    fixture = draw(st.sampled_from(load_all(name)))
    headers = {key: value for key, value in fixture.request.headers.items() if draw(st.integers(0, 9))}
    headers |= draw(st.dictionaries(st.sampled_from(sorted(fixture.request.headers)), texts, max_size=3))
    names = [*fixture.proof_parameters, "a"]
    query = "&".join(f"{draw(st.sampled_from(names))}={draw(texts)}" for _ in range(draw(st.integers(0, 2))))
    target = draw(st.sampled_from([fixture.request.target, f"/webhooks/{name}?{query}"]))
    body = draw(st.one_of(st.just(fixture.request.body), st.binary(), st.text().map(str.encode)))
    return fixture, Request("POST", target, headers, body, tuple(fixture.public_urls))


@by_proven_sender
@repeatable
@given(data=st.data(), now=st.integers(0, LATEST))
def test_a_request_that_proves_nothing_makes_no_event(name, data, now):
    fixture, request = data.draw(strange_requests(name))
    arrival = data.draw(st.sampled_from([fixture.arrival, now]))
    with pytest.raises(SenderError):
        fixture.unwrap(request=request, secrets=[fixture.other_secret], now=arrival)


@pytest.mark.parametrize("fixture", fixtures, ids=repr)
def test_a_proof_that_is_hard_to_read_is_refused(fixture):
    for odd in ODD_TEXTS:
        strange = [with_header(fixture.request, name, odd) for name in fixture.proof_headers]
        strange += [with_parameter(fixture.request, name, odd) for name in fixture.proof_parameters]
        for request in strange:
            if request != fixture.request:
                with pytest.raises(SenderError):
                    fixture.unwrap(request=request)


@by_sender
@repeatable
@given(data=st.data())
def test_a_proven_body_is_read_or_refused(name, data):
    fixture = data.draw(st.sampled_from(load_all(name)))
    body = data.draw(st.one_of(values.map(orjson.dumps), st.binary(), st.text().map(str.encode), cut(fixture)))
    try:
        events = fixture.unwrap(request=fixture.signed(body))
    except SenderError:
        return
    assert [event for event in events if not storable(event)] == []


@st.composite
def cut(draw: Any, fixture: Fixture) -> bytes:
    """Its body with a piece of it missing, doubled, or replaced."""
    body = fixture.request.body
    start, end = sorted((draw(st.integers(0, len(body))), draw(st.integers(0, len(body)))))
    piece = draw(st.one_of(st.just(b""), st.just(body[start:end] * 2), st.binary(max_size=9)))
    return body[:start] + piece + body[end:]


@pytest.mark.parametrize("fixture", bodies, ids=repr)
def test_no_field_can_break_the_reader_or_gets_into_a_message(fixture):
    broken, told = [], []
    for body in damaged(fixture.request.body):
        try:
            events = fixture.unwrap(request=fixture.signed(body))
        except SenderError as error:
            told += [str(error)] * (MARKER in str(error))
        except Exception as error:  # noqa: BLE001
            broken.append(error)
        else:
            broken += [event for event in events if not storable(event)]
            told += [event.problem for event in events if event.problem and MARKER in event.problem]
    assert broken == []
    assert told == []


def damaged(body: bytes) -> Iterator[bytes]:
    """The body once for each of its fields and each odd value there."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        yield from damaged_xml(body)
        return
    for holder, key in places(document):
        kept = holder[key]
        for value in ODD_VALUES:
            holder[key] = value
            yield orjson.dumps(document)
        del holder[key]
        yield orjson.dumps(document)
        holder.insert(key, kept) if isinstance(holder, list) else holder.update({key: kept})


def places(document: Any) -> list[tuple[Any, Any]]:
    """Every place in a document as what holds it and its key or index."""
    pairs = list(document.items() if isinstance(document, dict) else enumerate(document))
    inner = [place for _, value in pairs if isinstance(value, dict | list) for place in places(value)]
    return [*((document, key) for key, _ in pairs), *inner]


def damaged_xml(body: bytes) -> Iterator[bytes]:
    pieces = body.split(b"<")
    for index, piece in enumerate(pieces):
        tag, _, _ = piece.partition(b">")
        for value in ODD_VALUES:
            if isinstance(value, str) and "\x00" not in value:
                yield b"<".join([*pieces[:index], tag + b">" + value.encode(), *pieces[index + 1 :]])
        yield b"<".join([*pieces[:index], *pieces[index + 1 :]])


@by_sender
@pytest.mark.parametrize("levels", [100, 240, *range(245, 257), 300, 1000])
def test_a_deep_payload_is_stored_or_refused(name, levels):
    fixture = next(fixture for fixture in load_all(name) if fixture.count is None)
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}"), (b"<a>", b"</a>")):
        deep = opening * levels + b"1" + closing * levels
        body = with_another(fixture.request.body, deep)
        try:
            events = fixture.unwrap(request=fixture.signed(body))
        except SenderError:
            continue
        assert [event for event in events if not storable(event)] == []


def with_another(body: bytes, content: bytes) -> bytes:
    """The body with one more field, in its first object."""
    if b"</sObject>" in body:
        return body.replace(b"</sObject>", b"<x>" + content + b"</x></sObject>")
    return body.replace(b"{", b'{"x":' + content + b",", 1)


def storable(event: Event) -> bool:
    """As bridge.store writes it."""
    try:
        payload = orjson.loads(orjson.dumps(event.payload))
    except TypeError:
        return False
    return payload == event.payload and event.event_id.isprintable() and event.event_type.isprintable()


def test_what_is_odd_here_is_odd_enough():
    """The marker is looked for in messages: it must get as far as a reader."""
    fixture = load_all("stripe")[0]
    document = orjson.loads(fixture.request.body)
    document["created"] = MARKER
    with pytest.raises(SenderError, match="created"):
        fixture.unwrap(request=fixture.signed(orjson.dumps(document)))
