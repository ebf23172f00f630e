"""schema"""

from typing import TextIO

import click

from bridge.authoring import jsonschema


@click.command("schema")
@click.option(
    "-o",
    "--output",
    type=click.File("w", encoding="utf-8", atomic=True),
    default="-",
    metavar="FILE",
    help="Where to write it. Default: standard output.",
)
def command(output: TextIO) -> None:
    """Write the JSON Schema of mapping files.

    Editors complete keys and show mistakes by it: put it beside your mapping files and begin each of them with
    `# yaml-language-server: $schema=mapping.schema.json`.
    """
    output.write(jsonschema.text())
