import pytest

from bridge.errors import OperatorError
from bridge.model import Capture, Request
from tests.senders.fixtures import parse_http
from tests.support.bridges import STRIPE
from tests.support.making import NOW

HEADERS = {"host": "hooks.example.com", "stripe-signature": "t=1,v1=ab"}


@pytest.fixture
def diagnose(run, store, database_url):
    return lambda *arguments: run("diagnose", *arguments, DATABASE_URL=database_url, COLUMNS="200")


@pytest.fixture
def captured(store):
    request = Request("POST", "/webhooks/stripe", HEADERS, b'{\r\n"id": 1}')
    findings = ("it is signed with a secret of the source stripe-eu",)
    store.captures.add(Capture("stripe", NOW, "no signature matches", findings, request, is_whole=True), 20)
    (kept,) = store.captures.find("stripe")
    return kept


def test_what_was_refused_is_shown_with_what_was_found(diagnose, captured):
    result = diagnose("stripe")
    assert result.exit_code == 0
    for part in ("POST /webhooks/stripe", "host: hooks.example.com", "refused: no signature matches", "stripe-eu"):
        assert part in result.output


def test_a_capture_becomes_a_file_of_the_same_bytes(diagnose, captured, tmp_path):
    path = tmp_path / "refused.http"
    assert diagnose("stripe", "--fixture", captured.id, path).exit_code == 0
    again = parse_http(path.read_bytes(), [])
    assert (again.method, again.target, again.body) == ("POST", "/webhooks/stripe", captured.request.body)
    assert again.headers.items() >= HEADERS.items()


def test_a_capture_that_is_not_there_is_not_written(diagnose, captured, tmp_path):
    assert "there is no captured request 999" in str(diagnose("stripe", "--fixture", 999, tmp_path / "x").exception)


def test_captures_can_be_forgotten(diagnose, captured, store):
    assert "1 captured requests forgotten" in diagnose("stripe", "--clear").output
    assert store.captures.find("stripe") == []


def test_without_any_it_says_how_to_capture(diagnose, run):
    result = diagnose("stripe")
    assert (result.exit_code, "on_unverified: capture" in result.output) == (1, True)
    (run.folder / "stripe.yaml").write_text(f"on_unverified: capture\n{STRIPE}")
    assert "nothing was captured yet" in diagnose("stripe").output


def test_a_source_that_is_not_there_is_named(diagnose):
    assert isinstance(diagnose("strpe").exception, OperatorError)
