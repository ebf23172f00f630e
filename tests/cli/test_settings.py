"""What settings are refused, and that no message and no command shows a secret."""

import pytest

from bridge import bootstrap, settings
from bridge.errors import SettingError
from tests.support.bridges import STRIPE

PASSWORD = "hunter2-hunter2"


@pytest.mark.parametrize("content", [" ", "\n \t\n", "\u00a0", "   \r\n"])
def test_a_secret_file_with_nothing_in_it_is_refused_by_name(tmp_path, content):
    path = tmp_path / "token"
    path.write_text(content)
    with pytest.raises(SettingError, match=r"METRONOME_API_TOKEN_FILE: .*token is empty or holds only white space"):
        settings.load({"METRONOME_API_TOKEN_FILE": str(path)})


def test_a_setting_of_white_space_is_refused_by_name():
    with pytest.raises(SettingError, match="METRONOME_API_TOKEN is only white space"):
        settings.load({"METRONOME_API_TOKEN": "  "})


@pytest.mark.parametrize("secret", [f" {PASSWORD}", f"{PASSWORD} ", f"{PASSWORD}\t", " "])
def test_a_senders_secret_with_white_space_around_it_is_refused_without_being_shown(tmp_path, secret):
    (tmp_path / "stripe.yaml").write_text(STRIPE)
    (tmp_path / "secret").write_text(f"{secret}\n")
    for environ in ({"STRIPE_WEBHOOK_SECRET": secret}, {"STRIPE_WEBHOOK_SECRET_FILE": str(tmp_path / "secret")}):
        found = bootstrap.load_paths([tmp_path], environ)
        (problem,) = found.errors
        assert "white space" in str(problem)
        assert PASSWORD not in str(problem)
        assert "stripe" not in found.sources


URLS = {
    "DATABASE_URL": (
        f"postgresql://bridge:{PASSWORD}@db/bridge",
        f"postgresql://db/bridge?user=bridge&password={PASSWORD}",
        f"postgresql://db/bridge?sslpassword={PASSWORD}",
        f"sqlite:///bridge.db?key={PASSWORD}",
    ),
    "METRONOME_API_TOKEN": (PASSWORD,),
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in URLS.items() for value in values])
def test_config_shows_no_secret(run, name, value):
    result = run("config", **{name: value})
    assert (result.exit_code, PASSWORD in result.output) == (0, False)
    assert name in result.output


@pytest.mark.parametrize("name", ["METRONOME_BASE_URL", "BRIDGE_PUBLIC_URL"])
def test_a_url_with_a_password_is_refused_without_being_shown(run, name):
    result = run("config", **{name: f"https://bridge:{PASSWORD}@metronome.example"})
    assert isinstance(result.exception, SettingError)
    assert "without a user and a password" in str(result.exception)
    assert PASSWORD not in str(result.exception) + result.output


BROKEN = {
    "DATABASE_URL": f"postgresql:/bridge:{PASSWORD}@db/bridge",
    "METRONOME_API_TOKEN": f"{PASSWORD} x",
    "METRONOME_BASE_URL": f"ftp://{PASSWORD}",
    "PORT": PASSWORD,
    "BRIDGE_LOG_FORMAT": PASSWORD,
    "BRIDGE_DELIVERY": PASSWORD,
    "METRONOME_TIMEOUT_SECONDS": PASSWORD,
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_value_in_the_wrong_place_is_refused_without_being_shown(name):
    with pytest.raises(SettingError, match=name) as raised:
        settings.load({name: BROKEN[name]})
    assert PASSWORD not in str(raised.value)
