"""config"""

import os
from typing import Any

import click

from bridge import bootstrap, settings
from bridge.cli.terminal import console, table
from bridge.settings import Setting
from bridge.store.database import without_password


@click.command("config")
def command() -> None:
    """Show every setting, what it is now, and where that comes from; then the mapping files and their digests.

    Secrets are not shown. The digests are those of the files here and now: what a running process uses is in its
    /readyz.
    """
    values = settings.load()
    rows = table("setting", "value", "from", "what it is")
    for setting in settings.SETTINGS:
        rows.add_row(
            setting.name, shown(setting, getattr(values, setting.attribute)), origin(setting.name), setting.help
        )
    console.print(rows)
    mappings = bootstrap.load_mappings(values)
    files = table("source", "digest", "rules", "state")
    for name, source in sorted(mappings.sources.items()):
        files.add_row(name, source.digest, str(len(source.rules)), "closed" if source.unset else "open")
    for name, problems in sorted(mappings.refused.items()):
        files.add_row(name, "", "", f"refused: {len(problems)} errors, see `metronome-bridge check`")
    console.print(files)
    console.print(f"all of them: {mappings.digest}")


def shown(setting: Setting, value: Any) -> str:
    if setting.name == "DATABASE_URL":
        return without_password(value)
    if setting.secret:
        return "***" if value else "not set"
    if isinstance(value, bool):
        return "on" if value else "off"
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def origin(name: str) -> str:
    if os.environ.get(f"{name}_FILE"):
        return f"{name}_FILE"
    return "environment" if os.environ.get(name) else "default"
