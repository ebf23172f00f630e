"""Mappings from a few lines of YAML, and any JSON: what the tests of the mapping language share."""

from collections.abc import Callable
from textwrap import dedent, indent
from typing import Any

from hypothesis import Phase, settings
from hypothesis import strategies as st

from bridge.errors import RuleError
from bridge.mapping import examples
from bridge.mapping import lint as checks
from bridge.mapping.compiler import compile_source
from bridge.mapping.documents import Problem
from bridge.mapping.expressions import ExpressionError, compile_expression
from bridge.mapping.rules import Source, Translation, apply
from bridge.model import Event
from tests.conftest import ROOT

#: 2026-11-22T10:00:00Z
NOW = 1_795_341_600_000_000
UUID = "99594816-e8a5-4bca-be21-8d1de0f45120"
OTHER_UUID = "0a5f2d3c-6c5b-4a7e-9d43-1c0a2f3b4d5e"

#: What payloads hold in these tests and messages must not.
NEEDLE = "zqxj"

SECRETS = {
    "SECRET": "whsec_bm90IHNvIHNlY3JldA==",
    "PASSWORD": "bridge:correct horse",
    "STRIPE_WEBHOOK_SECRET": "whsec_stripe",
    "HUBSPOT_CLIENT_SECRET": "client-secret",
    "SALESFORCE_WEBHOOK_SECRET": "endpoint-secret",
    "PIPEDRIVE_WEBHOOK_LOGIN": "bridge:pipedrive",
    "CHARGEBEE_WEBHOOK_LOGIN": "bridge:chargebee",
    "ZUORA_WEBHOOK_LOGIN": "bridge:zuora",
    "SEGMENT_SHARED_SECRET": "segment-secret",
    "RUDDERSTACK_WEBHOOK_TOKEN": "rudderstack-token",
    "ZOHO_NOTIFICATION_TOKEN": "zoho-token",
    "ZOHO_WORKFLOW_TOKEN": "zoho-workflow-token",
    "SALESFORCE_JSON_SECRET": "header-secret",
    "DATAVERSE_WEBHOOK_KEY": "webhook-key-4711",
    "MICROSOFT_GRAPH_CLIENT_STATE": "client-state-4711",
    "NETSUITE_WEBHOOK_SECRET": "api-secret-4711",
    "GITHUB_WEBHOOK_SECRET": "github-secret",
    "SHOPIFY_CLIENT_SECRET": "shopify-secret",
    "INTERCOM_CLIENT_SECRET": "intercom-secret",
    "ZENDESK_WEBHOOK_SECRET": "zendesk-secret",
    "ATTIO_WEBHOOK_SECRET": "attio-secret",
    "CLOSE_SIGNATURE_KEY": "058bfb6a3d8cfdc4da7c3be5901b16ae",
    "PADDLE_WEBHOOK_SECRET": "pdl_ntfset_paddle",
    "METRONOME_WEBHOOK_SECRET": "metronome-secret",
}

#: The same examples every time and everywhere, however slow the machine is.
QUICK = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    report_multiple_bugs=False,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
)

SHIPPED = {path.stem: path.read_text() for path in sorted((ROOT / "mappings").glob("*.yaml"))}


def lint(text: str) -> tuple[Source | None, list[Problem]]:
    return compile_source("test", "test.yaml", text, SECRETS.get)


def check(text: str) -> list[Problem]:
    """Everything that `check` says of this file, in the order of its lines."""
    made, problems = lint(text)
    found = [*problems, *checks.run(made, NOW), *examples.run(made, NOW)] if made else problems
    return sorted(found, key=lambda problem: (problem.line, problem.column))


def marked(text: str) -> tuple[str, list[tuple[int, int]]]:
    """The text without its marks », and the line and column of each."""
    places = []
    while "»" in text:
        before, _, after = text.partition("»")
        places.append((before.count("\n") + 1, len(before) - before.rfind("\n")))
        text = before + after
    return text, places


def source(text: str) -> Source:
    """The mapping, which must be without mistakes."""
    made, problems = lint(text)
    assert made is not None, "\n".join(map(str, problems))
    return made


def source_of_rules(text: str) -> Source:
    return source(f'sender: stripe\nsecrets: ["${{SECRET}}"]\nrules:\n{indent(dedent(text), "  ")}')


def translate(rules: str, payload: Any, event_type: str = "thing.happened", occurred_at: int = NOW) -> Translation:
    """What these rules (YAML, a list) make of one event."""
    return apply(source_of_rules(rules).rules, Event("evt_1", event_type, payload, occurred_at))


def evaluate(expression: str, payload: Any = None) -> Any:
    return compile_expression(expression).evaluate(payload)


def attempt(call: Callable[..., Any], *arguments: Any) -> tuple[Any, str]:
    """The outcome and no message, or no outcome and the message. Whatever else is raised goes through."""
    try:
        return call(*arguments), ""
    except (RuleError, ExpressionError) as error:
        return None, str(error)


def refusal(expression: str, payload: Any = None) -> str:
    """The message with which the expression refuses the payload."""
    value, message = attempt(evaluate, expression, payload)
    assert message, f"{expression} gave {value!r}"
    return message


def parts_of(value: Any) -> int:
    """How many values there are in a JSON value, itself included."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(parts_of, inner))


def texts() -> st.SearchStrategy[str]:
    """Text such as payloads hold, and such as nobody expects; never half a character, which JSON cannot hold."""
    expected = [
        "",
        "5",
        "-0.5",
        "1e30",
        "2026-11-22",
        "2026-11-22T10:00:00+01:00",
        "1795341600",
        "UTC",
        UUID,
        "x" * 201,
    ]
    return st.sampled_from(expected) | st.just(NEEDLE) | st.text(st.characters(codec="utf-8"), max_size=8)


def numbers() -> st.SearchStrategy[int | float]:
    """Every number that a payload can hold once it was read."""
    return st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)


def json_values(*keys: str) -> st.SearchStrategy[Any]:
    """Any JSON; objects have these keys, or else a to e and odd ones."""
    leaves = st.none() | st.booleans() | numbers() | texts()
    names = st.sampled_from(keys) if keys else st.sampled_from("abcde") | texts()
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
        max_leaves=12,
    )
