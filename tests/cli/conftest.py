from pathlib import Path

import pytest
from click.testing import CliRunner

from bridge.cli import commands
from tests.support.bridges import SECRETS, STRIPE


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs one command in a folder with a mapping for Stripe; environment variables as keywords."""
    folder = tmp_path / "mappings"
    folder.mkdir()
    (folder / "stripe.yaml").write_text(STRIPE)
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()

    def invoke(*arguments, answer=None, **environ):
        given = {"BRIDGE_MAPPINGS": str(folder), **SECRETS, **environ}
        return runner.invoke(commands, [str(one) for one in arguments], env=given, input=answer)

    invoke.folder = folder
    return invoke


@pytest.fixture
def put(tmp_path):
    """Writes a file and gives its path."""

    def write(name, content):
        path = Path(tmp_path) / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write
