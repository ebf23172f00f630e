"""The image, without a container engine: the Dockerfile's own commands run in a folder that stands in for the root."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import requests

from tests.support.postgres import free_port
from tests.support.processes import Process, answers, ending
from tests.support.stripe_events import SECRET, customer_updated, signed

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.slow
OWNER = "10001"
#: Folders of the image, which become folders of the stand-in.
PLACES = re.compile(r"(?<![\w.])/(opt/bridge|data|mappings|build)\b")


def instructions():
    """(name, rest) of each instruction; continued lines are joined and comments dropped."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    text = "\n".join(lines).replace("\\\n", " ")
    return [tuple(line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]


def last(name):
    return [rest for found, rest in instructions() if found == name][-1]


class Image:
    """What the instructions make of an empty folder."""

    def __init__(self, root):
        self.root = root
        self.environ = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(root)}
        self.folder = root
        for name, rest in instructions():
            getattr(self, name.lower(), lambda _: None)(rest)

    def inside(self, text):
        text = PLACES.sub(lambda match: f"{self.root}/{match[1]}", text)
        return text.replace(OWNER, str(os.getuid())) if os.getuid() else text

    def workdir(self, rest):
        self.folder = Path(self.inside(rest))
        self.folder.mkdir(parents=True, exist_ok=True)

    def run(self, rest):
        subprocess.run(self.inside(rest), shell=True, check=True, cwd=self.folder, env=self.environ)

    def copy(self, rest):
        """From the checkout; what is copied between stages is in the same folder already."""
        words = shlex.split(rest)
        if words[0].startswith("--from"):
            return
        *sources, target = words
        for source in sources:
            place = self.folder / self.inside(target)
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, place, dirs_exist_ok=True)
            else:
                shutil.copy(ROOT / source, place)

    def env(self, rest):
        for name, value in re.findall(r"(\w+)=(\S+)", rest):
            self.environ[name] = self.inside(value).replace("$PATH", self.environ["PATH"])


@pytest.fixture(scope="module")
def image():
    folder = Path(tempfile.mkdtemp(prefix="bridge-image-"))
    yield Image(folder)
    shutil.rmtree(folder)


def test_the_image_serves_as_its_entrypoint_starts_it(image):
    port = str(free_port())
    environ = {
        "PORT": port,
        "BRIDGE_HOST": "127.0.0.1",
        "METRONOME_BASE_URL": "http://127.0.0.1:9",
        "METRONOME_API_TOKEN": "token",
        "STRIPE_WEBHOOK_SECRET": SECRET,
    }
    command = json.loads(last("ENTRYPOINT")) + json.loads(last("CMD"))
    command[0] = shutil.which(command[0], path=image.environ["PATH"])
    process = Process(command, image.environ | environ, image.folder)
    with ending([process]):
        answers(f"http://127.0.0.1:{port}/readyz", process)
        health = re.search(r"CMD (\[.*\])", last("HEALTHCHECK"))[1]
        check = json.loads(health)
        subprocess.run(check, env=image.environ | {"PORT": port}, check=True)
        response = requests.post(f"http://127.0.0.1:{port}/webhooks/stripe", **signed(customer_updated()), timeout=10)
        assert response.status_code == 200
        assert process.terminate() == 0
    assert (image.root / "data" / "bridge.db").exists()
    assert not (image.root / ".gunicorn").exists()


def test_the_image_runs_as_nobody_special():
    assert last("USER") == f"{OWNER}:{OWNER}"
    assert [rest for name, rest in instructions() if name == "FROM"][-1].endswith("-slim")


def test_only_what_is_needed_gets_into_the_image():
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        word for name, rest in instructions() if name == "COPY" and "--from" not in rest for word in rest.split()[:-1]
    }
    assert copied == kept
