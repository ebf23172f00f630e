"""check"""

import sys
from collections.abc import Sequence
from pathlib import Path

import click
from rich.markup import escape

from bridge import bootstrap
from bridge.authoring import coverage
from bridge.authoring.coverage import Coverage
from bridge.authoring.reports import FORMATS, Report, Summary, text_of
from bridge.bootstrap import now
from bridge.cli.common import count, load
from bridge.cli.terminal import console, echo, secho, table
from bridge.mapping import files
from bridge.mapping.documents import Problem
from bridge.mapping.files import Mappings

COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}


@click.command("check")
@click.argument("paths", metavar="[FILE]...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="Warnings fail as well.")
@click.option("--format", "form", type=click.Choice(list(FORMATS)), default="text", show_default=True, help="For whom.")
@click.option("--notes", is_flag=True, help="Also show what is noted about sources that are closed.")
@click.option("--coverage", "shows_coverage", is_flag=True, help="Also show what of the rules no example shows.")
@click.option(
    "--min-coverage",
    type=click.IntRange(0, 100),
    default=0,
    metavar="PERCENT",
    help="An error for each mapping file whose examples show less of its rules.",
)
def command(
    paths: tuple[Path, ...], *, strict: bool, form: str, notes: bool, shows_coverage: bool, min_coverage: int
) -> None:
    """Lint mapping files and run their examples: these, or all in the folder that BRIDGE_MAPPINGS names.

    Prints file:line:column for everything that is wrong, all at once, and ends with 1 if there is any error. Needs
    neither secrets nor a database: made for continuous integration, editors and hooks.
    """
    mappings = bootstrap.load_paths(paths) if paths else load()[1]
    measured = mappings.sources.values() if shows_coverage or min_coverage else ()
    covered = [coverage.measure(source, now()) for source in measured]
    uncovered = tuple(problem for one in covered for problem in coverage.shortfall(one, min_coverage))
    report = collect(mappings, uncovered, notes=notes)
    if form == "text":
        show(report, covered if shows_coverage else ())
    elif written := FORMATS[form](report):
        echo(written)
    sys.exit(1 if report.failed(strict=strict) else 0)


def collect(mappings: Mappings, uncovered: tuple[Problem, ...], *, notes: bool) -> Report:
    """Everything that is found, but for notes about closed sources unless they are wanted."""
    found = (*files.check(mappings, now()), *uncovered)
    closed = {source.path for source in mappings.closed} if not notes else set()
    problems = tuple(problem for problem in found if problem.level != "note" or problem.path not in closed)
    sources = mappings.sources.values()
    summary = Summary(
        sources=len(sources),
        rules=sum(len(source.rules) for source in sources),
        examples=sum(len(source.examples) for source in sources),
        closed=tuple(source.name for source in mappings.closed),
    )
    return Report(problems, summary, files.lines_in(problems))


def show(report: Report, covered: Sequence[Coverage]) -> None:
    for problem in report.problems:
        head, *excerpt = text_of(problem, report.lines.get(problem.path, ())).split("\n")
        secho(head, fg=COLOURS[problem.level])
        echo("\n".join([*excerpt, ""]) if excerpt else "", nl=bool(excerpt))
    if covered:
        show_coverage(covered)
    summary = report.summary
    if summary.closed:
        names = ", ".join(summary.closed)
        secho(f"closed, because their secrets are not set (--notes says which): {names}", fg="yellow")
    parts = (
        count(summary.sources, "source", "sources"),
        count(summary.rules, "rule", "rules"),
        count(summary.examples, "example", "examples"),
    )
    echo(f"{', '.join(parts)}: {verdict(report)}")


def verdict(report: Report) -> str:
    counted = [(report.count(level), level) for level in ("error", "warning")]
    said = ", ".join(count(number, level, f"{level}s") for number, level in counted if number)
    return said if report.count("error") else ", ".join(filter(None, ["no error", said]))


def show_coverage(covered: Sequence[Coverage]) -> None:
    rows = table("source", "examples show", "rule", "no example shows")
    for one in covered:
        missed = coverage.by_rule(one.missed) or {"": []}
        for number, (rule, points) in enumerate(missed.items()):
            shown = f"{one.percent}% ({one.shown} of {len(one.points)})"
            rows.add_row(*("", "") if number else (one.source.name, shown), escape(rule), escape(", ".join(points)))
    console.print(rows)
