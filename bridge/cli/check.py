"""check"""

import sys

import click

from bridge.bootstrap import now
from bridge.cli.common import load
from bridge.mapping import files


@click.command("check")
@click.option("--notes", is_flag=True, help="Also show what is noted about sources that are closed.")
def command(notes: bool) -> None:
    """Lint every mapping file and run its examples.

    Prints file:line:column for everything that is wrong, all at once, and ends with 1 if there is any error. Needs
    neither secrets nor a database: made for continuous integration.
    """
    _, mappings = load()
    found = files.check(mappings, now())
    closed = {source.path for source in mappings.closed} if not notes else set()
    problems = [problem for problem in found if problem.level != "note" or problem.path not in closed]
    errors = [problem for problem in problems if problem.level == "error"]
    for problem in problems:
        click.secho(str(problem), fg="red" if problem.level == "error" else "yellow")
    sources = mappings.sources.values()
    rules = sum(len(source.rules) for source in sources)
    examples = sum(len(source.examples) for source in sources)
    verdict = f"{len(errors)} errors" if errors else "no error"
    if closed:
        names = ", ".join(source.name for source in mappings.closed)
        click.secho(f"closed, because their secrets are not set (--notes says which): {names}", fg="yellow")
    click.echo(f"{len(sources)} sources, {rules} rules, {examples} examples: {verdict}")
    sys.exit(1 if errors else 0)
