"""upgrade"""

import click

from bridge import bootstrap, settings
from bridge.cli.terminal import echo


@click.command("upgrade")
def command() -> None:
    """Create the tables, or bring those of an older version up to date.

    Safe to run at any time and from several machines at once. Web and worker processes of the version before keep
    working while it runs.
    """
    store = bootstrap.build_store(settings.load())
    before, after = store.upgrade()
    echo(f"the tables are of version {after}" + ("" if before == after else f" now (before: {before or 'none'})"))
    store.close()
