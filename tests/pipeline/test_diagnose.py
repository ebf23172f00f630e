"""Each mistake that is easily made is found, by verifying without it; signatures are made by others."""

from dataclasses import replace
from types import MappingProxyType

import pytest

from bridge.errors import NotVerifiedError
from bridge.mapping.rules import Source
from bridge.model import Request
from bridge.pipeline.diagnose import MAX_BODY_BYTES, MAX_TRIES, Case, diagnose, signing_times
from bridge.senders import SENDERS
from bridge.times import HOUR, SECOND
from tests.senders.fixtures import load_everything, one, with_header
from tests.senders.words import disclosed


def source(fixture, name="ours", **given):
    values = {"sender": fixture.sender, "secrets": tuple(fixture.secrets)} | given
    return Source(name=name, path=f"{name}.yaml", rules=(), digest="d", **values)


def case(fixture, *others, request=None, now=None, **given):
    ours = source(fixture, **given)
    sources = MappingProxyType({each.name: each for each in (ours, *others)})
    return Case(ours, request or fixture.request, now or fixture.arrival, sources)


STRIPE = one("stripe", "customer_updated")
HUBSPOT = one("hubspot", "company_properties_changed")
STANDARD = one("standard-webhooks", "customer_updated")


@pytest.mark.parametrize("hours", [-2, 2])
@pytest.mark.parametrize("fixture", [STRIPE, HUBSPOT, STANDARD], ids=repr)
def test_a_clock_that_is_wrong_is_found(fixture, hours):
    (finding,) = diagnose(case(fixture, now=fixture.arrival + hours * HOUR))
    assert "the signature is right, but it was made" in finding
    assert ("before it arrived" in finding) == (hours > 0)


def test_a_public_url_that_is_wrong_is_found():
    base = HUBSPOT.request.public_urls[0]
    request = replace(with_header(HUBSPOT.request, "host", base.partition("://")[2]), public_urls=("http://10.0.0.5",))
    (finding,) = diagnose(case(HUBSPOT, request=request))
    assert f"the signature is right for {base}" in finding


def test_the_wrong_scheme_of_the_public_url_is_found():
    base = HUBSPOT.request.public_urls[0]
    request = replace(HUBSPOT.request, public_urls=(base.replace("https", "http"),))
    assert any(f"right for {base}" in finding for finding in diagnose(case(HUBSPOT, request=request)))


@pytest.mark.parametrize(
    ("fixture", "slip", "phrase"),
    [
        (STRIPE, " {}\n", "without the white space"),
        (STRIPE, '"{}"', "without the quotes"),
        (HUBSPOT, "whsec_{}", "without whsec_"),
    ],
    ids=str,
)
def test_a_slip_in_copying_the_secret_is_found(fixture, slip, phrase):
    (finding,) = diagnose(case(fixture, secrets=(slip.format(fixture.secrets[0]),)))
    assert phrase in finding


def test_a_secret_without_its_prefix_is_found():
    (finding,) = diagnose(case(STRIPE, secrets=(STRIPE.secrets[0].removeprefix("whsec_"),)))
    assert "with whsec_ in front" in finding


def test_secrets_that_were_mixed_up_are_found():
    other = source(STRIPE, "stripe-eu")
    findings = diagnose(case(STRIPE, other, secrets=("whsec_of-another-endpoint",)))
    assert findings == ("it is signed with a secret of the source stripe-eu: the secrets, or the URLs, are mixed up",)


def test_a_sender_that_was_given_the_wrong_url_is_found():
    other = source(STRIPE, "stripe")
    findings = diagnose(case(HUBSPOT, other, request=STRIPE.request))
    assert findings == ("the source stripe would accept it: the sender was given the wrong URL",)


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        (lambda body: body + b"\n", "without its last line break"),
        (lambda body: body.replace(b"\n", b"\r\n"), "with other line breaks"),
    ],
)
def test_a_body_that_was_changed_on_the_way_is_found(change, phrase):
    request = replace(STRIPE.request, body=change(STRIPE.request.body))
    (finding,) = diagnose(case(STRIPE, request=request))
    assert phrase in finding


def test_a_wrong_secret_alone_leaves_nothing_to_find():
    assert diagnose(case(STRIPE, secrets=("whsec_of-somebody-else",))) == ()


@pytest.mark.parametrize("fixture", load_everything(), ids=repr)
def test_no_finding_discloses_a_secret_or_a_signature(fixture):
    for secrets in ([fixture.other_secret], [f" {secret} " for secret in fixture.secrets]):
        for finding in diagnose(case(fixture, now=fixture.arrival + HOUR + SECOND, secrets=tuple(secrets))):
            assert not disclosed(finding, fixture)


class Counting:
    """A sender that refuses everything, and counts how often it is asked."""

    def __init__(self):
        self.asked = 0

    def unwrap(self, *_):
        self.asked += 1
        raise NotVerifiedError("no")


def hostile(**headers):
    """A request that was refused, of which everything could be tried ten thousand times."""
    counting = Counting()
    sender = replace(SENDERS["stripe"], unwrap=counting.unwrap)
    ours = Source("ours", "ours.yaml", sender, (), "d", ("whsec_ours",))
    others = {f"other{n}": Source(f"other{n}", "x.yaml", sender, (), "d", (f"s{n}",)) for n in range(1000)}
    request = Request("POST", "/webhooks/ours", headers, b'{"a":\n1}\n', ("https://a.example",))
    return counting, Case(ours, request, STRIPE.arrival, {"ours": ours, **others})


def test_however_many_sources_and_times_there_are_little_is_tried():
    many = " ".join(str(1_700_000_000 + number) for number in range(100_000))
    counting, case_ = hostile(**{f"x-{number}": many for number in range(50)}, host="a.example")
    assert diagnose(case_) == ()
    assert counting.asked <= MAX_TRIES
    assert len(set(signing_times(case_.request))) < 100


def test_the_time_that_is_right_is_found_among_others():
    headers = {**STRIPE.request.headers, "x-other": " ".join(str(1_000_000_000 + n) for n in range(1000))}
    request = replace(STRIPE.request, headers=headers)
    (finding,) = diagnose(case(STRIPE, request=request, now=STRIPE.arrival + HOUR))
    assert "the signature is right, but it was made" in finding


def test_a_large_body_is_not_looked_into():
    counting, case_ = hostile()
    (finding,) = diagnose(replace(case_, request=replace(case_.request, body=b"x" * (MAX_BODY_BYTES + 1))))
    assert "not looked into" in finding
    assert counting.asked == 0
