"""NetSuite's part under node: suitescript.js beside this file runs a script of ours as NetSuite would."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.conftest import ROOT, missing

RUNNER = Path(__file__).with_suffix(".js")
SCRIPT = ROOT / "docs" / "senders" / "netsuite.js"
SECRET = "an-api-secret-of-ours-ü"


def run(kind: str, saved: dict[str, Any], *, zone: str = "UTC", codes: tuple[int, ...] = (), **job: Any) -> Any:
    """What the script posts and logs when a record is saved, and answered with `codes`; 0: not answered in time."""
    node = shutil.which("node")
    if node is None:
        missing("no node")
    given = {"type": kind, "newRecord": saved, "stored": saved, "codes": codes, **job}
    given["secrets"] = {"custsecret_metronome_bridge": SECRET}
    command = [node, str(RUNNER), str(SCRIPT)]
    environ = {**os.environ, "TZ": zone}
    content = json.dumps(given).encode()
    done = subprocess.run(command, input=content, capture_output=True, env=environ, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)
