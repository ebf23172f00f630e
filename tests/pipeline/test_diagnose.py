"""Each mistake that is easily made is found, by verifying without it; signatures are made by others."""

from dataclasses import replace
from types import MappingProxyType

import pytest

from bridge.mapping.rules import Source
from bridge.pipeline.diagnose import Case, diagnose
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
