"""A sender that proves nothing is used by nobody who does not say that this is meant."""

from pathlib import Path
from typing import Any

import pytest

from bridge.errors import NotThisShapeError
from bridge.mapping.compiler import compile_source
from bridge.mapping.files import load
from bridge.model import Request
from bridge.senders import SENDERS

SHIPPED = Path(__file__).parent.parent.parent / "mappings"
FILE = """\
sender: none
{more}
rules:
  - name: account
    entity: customer
    id: id
    fields: {{tier: tier}}
"""


def errors(more: str) -> list[str]:
    _, problems = compile_source("erp", "erp.yaml", FILE.format(more=more), lambda _: "x")
    return [str(problem) for problem in problems if problem.level == "error"]


def test_nobody_but_none_is_open():
    assert [name for name, sender in SENDERS.items() if sender.open] == ["none"]


def test_no_shipped_mapping_lets_anybody_post():
    sources = load(SHIPPED, lambda _: None).sources.values()
    assert sources
    assert [source.name for source in sources if source.sender.open] == []


@pytest.mark.parametrize(
    "more",
    [
        "",
        "options: {}",
        "options: {event_id: id}",
        "options: {i_understand_anyone_can_post: false}",
        "options: {i_understand_anyone_can_post: null}",
        "options: {i_understand_anyone_can_post: 'true'}",
        "options: {i_understand_anyone_can_post: yes}",
        "options: {i_understand_anyone_can_post: '${TRUE}'}",
        "options: {i_understand_anyone_can_post: []}",
    ],
)
def test_a_mapping_that_does_not_say_so_is_refused(more):
    (error,) = errors(more)
    assert "must be true: this sender lets anybody post" in error


def test_a_mapping_that_says_so_is_accepted_with_a_warning():
    text = FILE.format(more="options: {i_understand_anyone_can_post: true}")
    source, problems = compile_source("erp", "erp.yaml", text, lambda _: None)
    assert source is not None
    assert source.secrets == source.unset == ()
    assert any("anybody who finds the URL" in str(problem) for problem in problems)


def test_a_secret_that_would_do_nothing_is_refused():
    (error,) = errors('secrets: ["${SECRET}"]\noptions: {i_understand_anyone_can_post: true}')
    assert "none has no secrets" in error


@pytest.mark.parametrize("body", [b"", b"no JSON", b"7", b"null"])
def test_even_so_a_body_must_be_an_event(body):
    with pytest.raises(NotThisShapeError):
        bound().unwrap(Request("POST", "/in", {}, body), [], 0)


def test_what_is_sent_is_sent_as_it_is():
    request = Request("POST", "/in", {"a": "b"}, b"{}")
    assert bound().sign(request, "", 0) == request


def bound(**options: Any) -> Any:
    return SENDERS["none"].bound({"i_understand_anyone_can_post": True, **options})
