"""Secrets in files, which may be rotated while they are used."""

import pytest

from bridge import bootstrap, settings
from bridge.errors import SettingError
from bridge.rotation import Rotating
from tests.metronome.server import json, serving

NAME = "METRONOME_API_TOKEN"
ENTITY_ID = "99594816-e8a5-4bca-be21-8d1de0f45120"


@pytest.fixture
def file(tmp_path):
    made = tmp_path / "token"
    made.write_text("first\n")
    return made


@pytest.fixture
def told():
    return []


@pytest.fixture
def token(file, told):
    return Rotating({f"{NAME}_FILE": str(file)}, NAME, "first", lambda *news: told.append(news))


def test_a_secret_that_changes_in_its_file_is_the_next_value(file, token, told):
    assert (token(), told) == ("first", [])
    file.write_text("second\n")
    assert (token(), token()) == ("second", "second")
    assert told == [(NAME, None)]


@pytest.mark.parametrize("content", [None, "", "\n", "  \n", "two words", b"\xff"])
def test_a_file_that_says_nothing_usable_for_a_moment_leaves_the_last_value(file, token, told, content):
    file.unlink()
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert (token(), token()) == ("first", "first")
    ((name, problem),) = told
    assert (name, bool(problem)) == (NAME, True)
    file.write_text("second")
    assert token() == "second"
    assert told[1:] == [(NAME, None)]


def test_a_problem_holds_nothing_of_the_secret(file, token, told):
    file.write_text("hunter2 with a space")
    token()
    assert "hunter2" not in str(told)


def test_a_secret_that_is_not_in_a_file_stays_as_it_is(told):
    environ = {NAME: "first"}
    token = Rotating(environ, NAME, "first", lambda *news: told.append(news))
    environ[NAME] = "second"
    assert (token(), told) == ("first", [])


@pytest.mark.parametrize("content", ["", "\n", " \t\n"])
def test_a_secret_file_with_nothing_in_it_is_refused_at_the_start(file, content):
    file.write_text(content)
    with pytest.raises(SettingError, match=f"{NAME}_FILE: .*token is empty"):
        settings.load({f"{NAME}_FILE": str(file)})


def test_a_call_to_metronome_uses_the_token_that_is_in_the_file_then(file):
    with serving(json({})) as server:
        environ = {f"{NAME}_FILE": str(file), "METRONOME_BASE_URL": server.url}
        client = bootstrap.build_client(settings.load(environ), environ)
        client.set_values("customer", ENTITY_ID, {"tier": "gold"})
        file.write_text("second")
        client.set_values("customer", ENTITY_ID, {"tier": "gold"})
        client.session().close()
    assert [seen.headers["authorization"] for seen in server.seen] == ["Bearer first", "Bearer second"]
