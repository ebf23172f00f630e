"""Commands that need no database."""

import json
import subprocess

import pytest

from bridge import settings
from bridge.cli import commands
from bridge.errors import OperatorError
from bridge.senders import SENDERS
from tests.support.processes import ours
from tests.support.stripe_events import customer_updated

OPEN = """\
sender: none
options: {i_understand_anyone_can_post: true}
rules:
  - {name: account, entity: customer, id: id, fields: {tier: tier}}
"""


@pytest.mark.parametrize("name", sorted(commands.commands))
def test_every_command_explains_itself(run, name):
    result = run(name, "--help")
    assert result.exit_code == 0
    assert len(result.output.splitlines()) >= 5


def test_check_passes_good_files_without_any_secret(run):
    result = run("check", STRIPE_WEBHOOK_SECRET="")
    assert result.exit_code == 0
    assert "1 source, 1 rule, 0 examples: no error" in result.output
    assert "closed, because their secrets are not set (--notes says which): stripe" in result.output
    assert "STRIPE_WEBHOOK_SECRET is not set" not in result.output
    assert "STRIPE_WEBHOOK_SECRET is not set" in run("check", "--notes", STRIPE_WEBHOOK_SECRET="").output


def test_check_names_the_place_of_everything_that_is_wrong(run):
    path = run.folder / "stripe.yaml"
    path.write_text(
        path.read_text().replace("entity: customer", "entity: custmer").replace("tier: data", "tier: lowr(a) ~ data")
    )
    result = run("check")
    assert result.exit_code == 1
    assert f"{path}:7:13: 'custmer' is not known: did you mean 'customer'?" in result.output
    assert f"{path}:10:" in result.output
    assert "2 errors" in result.output


def test_check_shows_the_line_with_a_caret(run):
    path = run.folder / "stripe.yaml"
    path.write_text(path.read_text().replace("entity: customer", "entity: custmer"))
    lines = run("check").output.splitlines()
    shown = next(index for index, line in enumerate(lines) if "entity: custmer" in line)
    assert lines[shown + 1].index("^") == lines[shown].index("custmer")


def test_check_takes_files_and_folders(run, put):
    good, bad = put("good.yaml", OPEN), put("bad.yaml", OPEN.replace("customer", "custmer"))
    assert run("check", good).exit_code == 0
    assert run("check", good, bad).exit_code == 1
    assert run("check", run.folder).exit_code == 0
    assert "No such file" in run("check", "nowhere.yaml").output


def test_strict_fails_on_warnings(run, put):
    path = put("open.yaml", OPEN.replace("id: id,", 'id: id, occurred_at: at, when: type == "gold",'))
    assert run("check", path).exit_code == 0
    assert run("check", path, "--strict").exit_code == 1


@pytest.mark.parametrize("form", ["json", "sarif"])
def test_formats_for_tools_are_json_alone(run, put, form):
    bad = put("bad.yaml", OPEN.replace("customer", "custmer"))
    result = run("check", bad, "--format", form)
    assert result.exit_code == 1
    assert json.loads(result.output)["version"]


def test_check_runs_examples(run):
    path = run.folder / "stripe.yaml"
    example = {"name": "gold", "event": customer_updated(tier="gold"), "expect": [{"set": {"tier": "silver"}}]}
    path.write_text(path.read_text() + f"examples:\n  - {json.dumps(example)}\n")
    result = run("check")
    assert result.exit_code == 1
    assert "\n  - set tier: 'silver'\n  + set tier: 'gold'\n" in result.output


def test_check_says_what_no_example_shows(run):
    path = run.folder / "stripe.yaml"
    example = {"name": "gold", "event": customer_updated(tier="gold"), "expect": [{"set": {"tier": "gold"}}]}
    path.write_text(path.read_text() + f"examples:\n  - {json.dumps(example)}\n")
    result = run("check", "--coverage")
    assert result.exit_code == 0
    assert "75% (3 of 4)   customer  coupon: value" in result.output
    assert run("check", "--min-coverage", "75").exit_code == 0
    result = run("check", "--min-coverage", "76")
    assert result.exit_code == 1
    assert f"{path}:1:1: the examples show 75% of what the rules say, not 76%; no example shows" in result.output
    assert run("check", "--min-coverage", "101").exit_code == 2


def test_an_unknown_source_is_answered_with_those_there_are(run, put):
    result = run("try", "strip", put("event.json", "{}"))
    assert isinstance(result.exception, OperatorError)
    assert "did you mean 'stripe'" in str(result.exception)


def test_config_shows_every_setting_and_no_secret(run):
    secret = "hunter2-hunter2"
    environ = {
        "METRONOME_API_TOKEN": secret,
        "DATABASE_URL": f"postgresql://u:{secret}@h/d",
        "PORT": "9090",
        "COLUMNS": "300",
    }
    result = run("config", **environ)
    assert result.exit_code == 0
    assert secret not in result.output
    assert "postgresql+psycopg://u:***@h/d" in result.output
    assert "9090" in result.output
    assert all(setting.name in result.output for setting in settings.SETTINGS)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://h/d?user=u&password=hunter22", "postgresql+psycopg://h/d"),
        ("postgresql://u:a%40hunter22@h/d", "postgresql+psycopg://u:***@h/d"),
    ],
)
def test_config_shows_no_password_however_it_is_written(run, url, shown):
    result = run("config", DATABASE_URL=url, COLUMNS="300")
    assert shown in result.output
    assert "hunter22" not in result.output


@pytest.mark.parametrize("url", ["postgresql://u:a@hunter22@h/d", "postgresql://u:p@h:hunter22/d"])
def test_a_database_url_that_cannot_be_read_is_refused_and_not_repeated(run, url):
    result = run("config", DATABASE_URL=url)
    assert isinstance(result.exception, OperatorError)
    assert "DATABASE_URL" in str(result.exception)
    assert "hunter22" not in str(result.exception)


def test_senders_are_listed_and_shown_with_their_options(run):
    result = run("senders", COLUMNS="200")
    assert all(name in result.output for name in SENDERS)
    result = run("senders", "hmac", COLUMNS="200")
    assert "timestamp_header" in result.output
    assert "Required" in result.output
    assert "event types" not in result.output


def test_a_sender_is_shown_with_the_event_types_that_are_known(run):
    result = run("senders", "stripe")
    assert "customer.updated" in result.output.splitlines()


def test_schema_is_shown_or_written(run, tmp_path):
    shown = run("schema")
    assert json.loads(shown.output)["title"] == "A mapping file of metronome-bridge"
    path = tmp_path / "mapping.schema.json"
    assert run("schema", "-o", path).exit_code == 0
    assert path.read_text() == shown.output
    assert "No such file or directory" in run("schema", "-o", tmp_path / "nowhere" / "x.json").output


def test_send_needs_the_secret(run, put):
    result = run("send", "stripe", put("event.json", "{}"), STRIPE_WEBHOOK_SECRET="")
    assert isinstance(result.exception, OperatorError)
    assert "STRIPE_WEBHOOK_SECRET is not set" in str(result.exception)


def test_send_needs_no_secret_where_anybody_may_post(run, put):
    (run.folder / "erp.yaml").write_text(OPEN)
    result = run("send", "erp", put("event.json", "{}"), "--to", "http://127.0.0.1:9")
    assert "does not answer" in str(result.exception)


def test_send_says_when_nobody_answers(run, put):
    result = run("send", "stripe", put("event.json", "{}"), "--to", "http://127.0.0.1:9")
    assert "does not answer" in str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "environ", "code", "words"),
    [
        (["--nonsense"], {}, 2, "No such option"),
        (["config"], {"PORT": "http"}, 3, "PORT: a whole number from 1 to 65535 is expected"),
        (["config"], {"PORT": "x", "BRIDGE_DELIVERY": "maybe"}, 3, "BRIDGE_DELIVERY: on or off is expected"),
        (["serve"], {"BRIDGE_MAPPINGS": "/nowhere"}, 3, "set BRIDGE_MAPPINGS"),
        (["events", "list"], {"DATABASE_URL": "sqlite:////tmp/there-is-no-such-folder/x.db"}, 4, "does not work"),
        (["check"], {"BRIDGE_MAPPINGS": "/nowhere"}, 1, "No such file or directory"),
    ],
)
def test_exit_codes_say_who_must_act(tmp_path, arguments, environ, code, words):
    result = subprocess.run(
        ours(*arguments), env={"PATH": "", **environ}, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == code
    assert words in result.stdout + result.stderr
    assert "Traceback" not in result.stderr
