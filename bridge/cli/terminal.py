"""The only way from a command to a terminal: what comes from outside does nothing there but be seen.

Stored text can hold escape sequences that clear the screen, set its title or hide a line, and characters that reorder
what is read. A test has every command print such text, and no other module may print.
"""

import sys
from collections.abc import Iterable
from typing import Any

import click
import orjson
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table

from bridge.text import harmless_lines


class Screen(Console):
    """A console that shows control characters, whatever it is given: only its own colours are left."""

    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*(harmless_lines(one) if isinstance(one, str) else one for one in objects), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else harmless_lines(text), style, control)


class Rows(Table):
    """Cells are made harmless before their widths are measured."""

    def add_row(self, *cells: RenderableType | None, **options: Any) -> None:
        super().add_row(*(harmless_lines(cell) if isinstance(cell, str) else cell for cell in cells), **options)


#: Colours and live displays only on a terminal, which rich asks. Elsewhere lines may be long.
console = Screen(soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else 240)


def table(*columns: str) -> Rows:
    made = Rows(box=None, pad_edge=False, show_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def echo(text: str | bytes = "", *, nl: bool = True, err: bool = False) -> None:
    """Plain lines, or JSON, in which the escapes of control characters mean the same."""
    click.echo(harmless_lines(text.decode() if isinstance(text, bytes) else text), nl=nl, err=err)


def secho(text: str, *, fg: str, err: bool = False) -> None:
    """The same in a colour."""
    click.secho(harmless_lines(text), fg=fg, err=err)


def document(text: str) -> None:
    """A whole file: as it is where it goes into one, since escapes would change what it says."""
    click.echo(harmless_lines(text) if sys.stdout.isatty() else text, nl=False)


def print_json(value: Any) -> None:
    echo(orjson.dumps(value, option=orjson.OPT_INDENT_2))
