"""The house as it is drawn in docs/architecture.md: imports point down, and each library has one owner."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "bridge"

#: From the ground up: a room may import from floors below its own, from itself, and everybody from the ground.
FLOORS = (
    {"model", "gates", "errors", "times", "payload", "text", "private", "logs", "supervisor", "__init__"},
    {"senders", "mapping", "store", "metronome", "settings"},
    {"authoring", "rotation"},
    {"pipeline"},
    {"bootstrap"},
    {"web", "cli"},
    {"__main__"},
)
#: What may cross sideways: the mapping knows senders; two commands run a server.
SIDEWAYS = {("mapping", "senders"), ("cli", "web")}

OWNERS = {
    "sqlalchemy": {"store"},
    "alembic": {"store"},
    "psycopg": {"store"},
    "requests": {"metronome", "cli"},
    "flask": {"web", "metronome"},
    "click": {"cli"},
    "rich": {"cli"},
    "ruamel": {"mapping"},
    "jmespath": {"mapping", "authoring"},
    "lxml": {"senders"},
    "cryptography": {"senders"},
    "marshmallow": {"mapping", "senders", "metronome", "authoring"},
    "gunicorn": {"web"},
    "prometheus_client": {"web"},
}
FILES = sorted(ROOT.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path):
    floor = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
    here = room_of(path)
    for name in imports(path):
        parts = name.split(".")
        if parts[0] != "bridge" or len(parts) < 2:
            continue
        there = parts[1] if parts[1] in floor else "__init__"
        below = floor[there] < floor[here] or floor[there] == 0
        assert there == here or below or (here, there) in SIDEWAYS, f"{here} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_library_has_one_owner(path):
    for name in imports(path):
        library = name.split(".")[0]
        assert room_of(path) in OWNERS.get(library, {room_of(path)}), f"{path} imports {library}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_clock_and_environment_stay_at_the_edges(path):
    source = path.read_text()
    if room_of(path) not in {"bootstrap", "cli"}:
        for clock in ("time.time", "time_ns", "monotonic(", "datetime.now", "utcnow"):
            assert clock not in source, f"{path} reads the clock"
    if room_of(path) not in {"settings", "bootstrap", "cli"}:
        assert "os.environ" not in source, f"{path} reads the environment"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_is_longer_than_one_sitting(path):
    assert len(path.read_text().splitlines()) <= 400
