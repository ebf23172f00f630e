"""Every command that shows text from outside, given text that would do something to a terminal."""

import ast
import json
import unicodedata
from pathlib import Path

import pytest

from bridge import cli
from bridge.cli import commands, terminal
from bridge.model import Capture, Request
from bridge.text import harmless, harmless_lines
from tests.store.test_held import deliver
from tests.support.bridges import STRIPE
from tests.support.making import ENTITY_ID, NOW, asking, by_payload, event
from tests.support.sandbox import serving_sandbox
from tests.support.stripe_events import customer_updated

#: Sets the title, clears the screen (CSI as one character too), moves text to the left of what is before it, links.
EVIL = "a\x1b]0;owned\x07\x1b[2J\x9b2J\u202eb[link=http://evil]c[/link]\r\u200bd\x7f"
VALUE = "gold\x1b[2J\u202e\x9b[red]x[/red]"
FOLDER = Path(cli.__file__).parent


@pytest.fixture
def sandbox():
    with serving_sandbox() as served:
        yield served


@pytest.fixture
def filled(store, sandbox):
    """A store and a Metronome with such text wherever it can be."""
    sandbox.world.add_customer({"id": ENTITY_ID, "name": EVIL}, NOW)
    sandbox.world.set_values("customer", ENTITY_ID, {"tier": f"other{VALUE}"})
    store.events.add("stripe", [asking(f"1{EVIL}", {"tier": VALUE, f"key{VALUE}": "x"})], {"user-agent": EVIL}, NOW)
    store.events.translate(by_payload, 10, NOW)
    deliver(store)
    store.events.add("stripe", [event(f"2{EVIL}", payload={EVIL: EVIL}, problem=f"{EVIL} is null")], {}, NOW)
    store.events.add("stripe", [event("evt_3", payload=customer_updated(tier=VALUE))], {}, NOW)
    headers = {"host": EVIL, "stripe-signature": EVIL}
    request = Request("POST", f"/webhooks/stripe?{EVIL}", headers, EVIL.encode())
    store.captures.add(Capture("stripe", NOW, EVIL, (EVIL,), request, is_whole=True), 20)
    return store


@pytest.fixture
def shown(run, filled, database_url, sandbox):
    """What a command prints, on standard output and standard error."""

    changed = run.folder.parent / "changed"
    changed.mkdir()
    (changed / "stripe.yaml").write_text(STRIPE.replace("      tier:", "      level:"))

    def invoke(*arguments):
        result = run(*arguments, DATABASE_URL=database_url, COLUMNS="300", **sandbox.environ)
        assert result.output
        assert result.exit_code in (0, 1), result.output
        return result.output + str(result.exception or "")

    return invoke


def dangerous(text):
    """The characters that a terminal acts on."""
    return {one for one in text if unicodedata.category(one) in ("Cc", "Cf", "Zl", "Zp", "Cs")} - set("\n")


PAYLOAD = json.dumps({"id": "evt_1", "type": "customer.updated", "created": 1, "data": {"object": {"metadata": {
    "metronome_id": ENTITY_ID, "tier": VALUE}, "name": EVIL}}})  # fmt: skip

SHOWING = (
    ["events", "list"],
    ["events", "list", "--json"],
    ["events", "show", "1", "--payload"],
    ["events", "show", "2", "--payload"],
    ["dead-letters", "list"],
    ["dead-letters", "list", "--json"],
    ["dead-letters", "count"],
    ["diagnose", "stripe"],
    ["drift", "--details"],
    ["drift", "--format", "json"],
    ["fields", "show"],
    ["breaker", "show"],
    ["restored", "--as-of", "2026-11-01", "--yes"],
    ["keys", "plan"],
    ["keys", "plan", "--format", "json"],
    ["diff", "--mappings", "changed", "--details"],
    ["diff", "--mappings", "changed", "--details", "--format", "json"],
    ["try", "stripe", "event.json"],
    ["try", "stripe", "event.json", "--json"],
    ["suggest", "event.json"],
    ["suggest", "event.json", "--json"],
    ["suggest", "event.json", "--sender", "hmac", "--all"],
    ["config"],
    ["check"],
)


@pytest.mark.parametrize("arguments", SHOWING, ids=" ".join)
def test_no_command_hands_text_from_outside_to_the_terminal_as_it_is(shown, put, arguments):
    put("event.json", PAYLOAD)
    output = shown(*arguments)
    assert not dangerous(output)


def test_such_text_is_seen_and_not_left_out(shown):
    assert "\\u001b[2J" in shown("events", "show", "1")
    assert "\\u202e" in shown("diagnose", "stripe")
    assert "\\u001b[2J" in shown("drift", "--details")
    assert "\\u001b[2J" in shown("diff", "--mappings", "changed", "--details")
    assert "[link=http://evil]" in shown("events", "show", "2")


def test_on_a_terminal_only_our_own_colours_are_left(monkeypatch, capsys):
    screen = terminal.Screen(force_terminal=True, color_system="standard", width=100)
    rows = terminal.table("[bold]a[/]")
    rows.add_row(VALUE)
    screen.print(rows, markup=False)
    screen.print(VALUE, style="red", markup=False)
    written = capsys.readouterr().out
    assert "\x1b[31m" in written
    assert not {"\x1b[2J", "\x9b", "\u202e"} & {written[i : i + n] for i in range(len(written)) for n in (1, 4)}


def test_an_error_is_harmless_too(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["metronome-bridge", "events", "list"])
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///no-such-{VALUE}/bridge.db")
    with pytest.raises(SystemExit):
        cli.main()
    assert not dangerous(capsys.readouterr().err)


def test_json_means_the_same_when_it_is_made_harmless():
    text = json.dumps({EVIL: EVIL}, ensure_ascii=False)
    assert json.loads(harmless(text)) == json.loads(text)


def test_words_of_every_script_stay_as_they_are():
    for text in ("Søren", "株式会社", "نیم‌فاصله", "👩‍👩‍👧", "e\u0301"):
        assert harmless(text) == harmless_lines(text) == text


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.name)
def test_no_command_prints_past_the_terminal_module(path):
    if path.name == "terminal.py":
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in {"click.echo", "click.secho", "print", "Console", "Table"}, f"{path}:{node.lineno}"


def test_every_command_is_in_the_table_or_shows_nothing_stored():
    """A new command that shows text from outside belongs into the table above."""
    nothing = {"backfill", "demo", "replay", "sandbox", "schema", "send", "senders", "serve", "upgrade", "worker"}
    assert set(commands.commands) - {arguments[0] for arguments in SHOWING} == nothing
