"""The command line. One module a command; nothing here decides anything that a web page might want to decide too."""

import sys

import click

from bridge import __version__
from bridge.cli import (
    backfill,
    breaker,
    check,
    config,
    dead_letters,
    demo,
    diagnose,
    diff,
    drift,
    events,
    fields,
    keys,
    replay,
    restored,
    sandbox,
    schema,
    send,
    senders,
    serve,
    suggest,
    try_,
    upgrade,
    worker,
)
from bridge.cli.terminal import secho
from bridge.errors import BridgeError, OperatorError, StoreError

EPILOG = """\b
Exit codes:
  0  done
  1  it ran, and the answer is no: a check failed, a webhook was refused, there is no such event
  2  the command line is wrong
  3  a setting, a mapping file or the token must be corrected first
  4  the database is unreachable or of another version

Settings come from the environment: see `metronome-bridge config`."""


#: As somebody meets them who sets a bridge up.
COMMANDS = {
    "Run it": (serve, worker, upgrade, config, sandbox, demo),
    "Write mapping files": (suggest, check, try_, schema, senders),
    "Set up a source": (send, diagnose),
    "Roll out": (diff, keys, backfill),
    "Look into things": (events, dead_letters, replay, fields, drift, breaker, restored),
}


class Sections(click.Group):
    """Its help lists commands by what they are for."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for heading, modules in COMMANDS.items():
            rows = [(module.command.name or "", module.command.get_short_help_str(200)) for module in modules]
            with formatter.section(heading):
                formatter.write_dl(rows, col_max=16)


@click.group(
    cls=Sections, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(__version__, prog_name="metronome-bridge")
def commands() -> None:
    """Webhooks in, Metronome custom fields out.

    A CRM, Stripe or another system posts a webhook; the bridge verifies it, stores it, applies the mapping file of its
    source and sets custom field values in Metronome.
    """


for modules in COMMANDS.values():
    for module in modules:
        commands.add_command(module.command)


def main() -> None:
    """Runs one command; an error raised on purpose is one message, not a stack trace."""
    try:
        commands(prog_name="metronome-bridge")
    except BridgeError as error:
        secho(str(error), fg="red", err=True)
        sys.exit(exit_code(error))


def exit_code(error: BridgeError) -> int:
    if isinstance(error, StoreError):
        return 4
    return 3 if isinstance(error, OperatorError) else 1
