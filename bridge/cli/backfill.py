"""backfill"""

import gzip
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from pathlib import Path
from stat import S_ISREG
from typing import IO, Any, cast

import click
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bridge import private, settings
from bridge.bootstrap import SteadyClock
from bridge.cli.common import find_source, opened_store
from bridge.cli.terminal import Screen, echo
from bridge.errors import FileError, OperatorError
from bridge.pipeline.backfill import MOST_ROWS, Backfill, Plan, Tally
from bridge.pipeline.dry_run import DryRun, Effect, Effected
from bridge.pipeline.intake import PAUSE, QUEUE, Intake
from bridge.pipeline.rejects import Rejects
from bridge.pipeline.row import Form, Row
from bridge.pipeline.rows import Sheet, open_rows
from bridge.pipeline.rows_csv import LEFT_OUT
from bridge.store.counts import MOST_COUNTED
from bridge.store.spill import Spill
from bridge.times import SECOND

DELIMITERS = {"tab": "\t", "\\t": "\t"}
EMPTY = {"missing": LEFT_OUT, "null": None}
#: After how long of waiting to say why.
SAY_AFTER = 5 * SECOND
#: How many different problems are shown.
SHOWN = 10

Reject = Callable[[Row, str], None]

#: What is going on; what came of it goes to standard output.
progress_console = Screen(stderr=True, highlight=False)


def one_sign(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    sign = DELIMITERS.get(value, value)
    if len(sign) != 1 or sign in '"\r\n':
        raise click.BadParameter("one sign is expected, such as ; or tab")
    return sign


@click.command("backfill")
@click.argument("source")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option(
    "--time-column", metavar="NAME", help="What says when a row's values became so: it decides what is newest."
)
@click.option("--type", "event_type", metavar="TYPE", help="The event type of all rows: rules are chosen by it.")
@click.option("--type-column", metavar="NAME", help="The column with the event type.")
@click.option(
    "--id-column", metavar="NAME", help="The column with the id that the sender's webhook gives the same event."
)
@click.option("--as-sent", is_flag=True, help="Rows are what the sender posts, such as exported events.")
@click.option(
    "--empty",
    type=click.Choice(["missing", "null"]),
    default="missing",
    show_default=True,
    help="What an empty cell of CSV means.",
)
@click.option(
    "--delimiter", callback=one_sign, default=",", show_default=True, metavar="SIGN", help="Of CSV; tab for a tab."
)
@click.option(
    "--format", "form", type=click.Choice([str(form) for form in Form]), help="Left out: seen in the content."
)
@click.option(
    "--rejects",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write rows that cannot become events here, to be corrected and fed back.",
)
@click.option("--dry-run", is_flag=True, help="Store nothing; show what would change.")
@click.option("--details", is_flag=True, help="With --dry-run: show each key that would change, and its values.")
@click.option(
    "--rate", type=click.FloatRange(min=0, min_open=True), metavar="EVENTS_PER_SECOND", help="Store no faster."
)
@click.option(
    "--queue",
    type=click.IntRange(0, MOST_COUNTED),
    default=QUEUE,
    show_default=True,
    help="Wait while so much is due before a webhook that comes now; 0: never wait.",
)
def command(
    source: str,
    file: str,
    *,
    rejects: Path | None,
    dry_run: bool,
    details: bool,
    rate: float | None,
    queue: int,
    delimiter: str,
    form: str | None,
    empty: str,
    **columns: Any,
) -> None:
    """Turn the rows of FILE (- is standard input) into events of SOURCE, as if they had been received.

    FILE is CSV with a header, JSON lines or a JSON array, or gzip of one. Rows are payloads as the rules of the source
    see them; in CSV a header such as data.object.id makes objects. A running bridge translates and delivers them. What
    was stored before is not stored again, so after an interruption the same command goes on. Nothing is verified.

    Ends with 1 if a row was rejected.
    """
    if details and not dry_run:
        raise click.UsageError("--details shows what --dry-run finds")
    values = settings.load()
    plan = Plan(source=find_source(values, source), **columns)
    if objections := list(plan.objections()):
        raise click.UsageError("\n".join(objections))
    clock, waiting = SteadyClock(), Waiting()
    with opened(file) as stream, opened_store() as store, closing(Spill()) as spill:
        sheet = open_rows(
            stream,
            most=values.max_body_bytes,
            form=Form(form) if form else None,
            delimiter=delimiter,
            empty=EMPTY[empty],
            needed=plan.columns,
        )
        preview = DryRun(store, spill)
        intake = Intake(store, source, clock=clock, sleep=time.sleep, queue=queue, rate=rate or 0, waiting=waiting.tell)
        with rejecting(rejects, stream, sheet, delimiter) as reject:
            work = Backfill(plan, store.events, preview if dry_run else intake, reject=reject, clock=clock)
            try:
                is_done = run(work, sheet, stream, min(MOST_ROWS, int(rate or MOST_ROWS) or 1), waiting)
            finally:
                show(work.tally, "would be stored" if dry_run else "stored", rejects)
        if not is_done:
            echo("stopped: the same command goes on where this one ended", err=True)
        elif dry_run:
            show_effects(preview.effects(), details=details)
    sys.exit(0 if is_done and not work.tally.rejected else 1)


@contextmanager
def opened(file: str) -> Iterator[IO[bytes]]:
    """Whatever is wrong with the file is said with its name."""
    try:
        if file == "-":
            yield sys.stdin.buffer
            return
        with Path(file).open("rb") as stream:
            yield stream
    except FileError as error:
        raise FileError(f"{'standard input' if file == '-' else file}: {error}") from None


@contextmanager
def rejecting(path: Path | None, stream: IO[bytes], sheet: Sheet, delimiter: str) -> Iterator[Reject]:
    """What takes rejected rows. It always makes the file, so that it says of this run what there is to say."""
    if path is None:
        yield lambda _row, _problem: None
        return
    if is_same(path, stream):
        raise click.UsageError(f"{path} is being read: name another file for the rejects")
    try:
        with private.open_to_write(path) as file, zipped(file, path) as written:
            rejects = Rejects(cast("IO[bytes]", written), sheet, delimiter)
            try:
                yield rejects.add
            finally:
                rejects.end()
    except BrokenPipeError:
        # Nobody reads what we say: that is another matter.
        raise
    except OSError as error:
        raise OperatorError(f"{path} cannot be written: {error.strerror}") from None


def zipped(file: IO[bytes], path: Path) -> AbstractContextManager[Any]:
    return gzip.open(file, "wb") if path.suffix == ".gz" else nullcontext(file)


def is_same(path: Path, stream: IO[bytes]) -> bool:
    with suppress(OSError):
        return os.path.samestat(path.stat(), os.fstat(stream.fileno()))
    return False


class Waiting:
    """Says once why nothing goes on."""

    def __init__(self) -> None:
        self.polls = 0
        self.is_said = False

    def tell(self) -> None:
        self.polls += 1
        if self.polls * PAUSE >= SAY_AFTER and not self.is_said:
            self.is_said = True
            progress_console.print("waiting until a running bridge has delivered what is due (--queue 0 does not wait)")

    def is_over(self) -> None:
        self.polls = 0


def run(work: Backfill, sheet: Sheet, stream: IO[bytes], most_rows: int, waiting: Waiting) -> bool:
    """False if somebody stopped it."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with bar() as progress:
            task = progress.add_task("", total=size_of(stream), rows=0)
            for tally in work.run(sheet.rows, most_rows):
                waiting.is_over()
                progress.update(task, completed=position_of(stream), rows=tally.rows)
    except KeyboardInterrupt:
        return False
    finally:
        signal.signal(signal.SIGTERM, before)
    return True


def bar() -> Progress:
    return Progress(
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[rows]:,} rows"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=progress_console,
        transient=True,
        disable=not progress_console.is_terminal,
    )


def size_of(stream: IO[bytes]) -> int | None:
    """None: nobody knows before the end."""
    with suppress(OSError):
        found = os.fstat(stream.fileno())
        return found.st_size if S_ISREG(found.st_mode) else None
    return None


def position_of(stream: IO[bytes]) -> int:
    """How much of the file was read: of a packed one, as it is packed."""
    with suppress(OSError):
        return os.lseek(stream.fileno(), 0, os.SEEK_CUR)
    return 0


def show(tally: Tally, stored: str, rejects: Path | None) -> None:
    echo(f"{tally.rows:,} rows")
    counts = {stored: tally.stored, "stored before": tally.known, "left out: no rule applies": tally.ignored}
    for what, events in counts.items():
        echo(f"  {events:>12,} events {what}")
    echo(f"  {tally.rejected:>12,} rows rejected{f', now in {rejects}' if rejects else ''}")
    if tally.changes:
        echo("changes by rule")
    for rule, changes in tally.changes.items():
        echo(f"  {changes:>12,} {rule}")
    if tally.problems:
        echo("why rows were rejected")
    often = sorted(tally.problems.items(), key=lambda item: -item[1].rows)
    for problem, found in often[:SHOWN]:
        echo(f"  {found.rows:>12,} {problem} (first: {found.place})")
    if len(often) > SHOWN:
        echo(f"               and {len(often) - SHOWN} other reasons")


def show_effects(effects: Iterable[Effected], *, details: bool) -> None:
    counts: Counter[Effect] = Counter()
    for one in effects:
        counts[one.effect] += 1
        if details and one.effect is not Effect.UNCHANGED:
            target = one.target
            echo(f"{target.entity} {target.reference} {target.key}: {in_words(one)}")
    echo("keys of entities")
    for effect in Effect:
        echo(f"  {counts[effect]:>12,} {effect}")


def in_words(one: Effected) -> str:
    before, after = ("nothing" if value is None else repr(value) for value in (one.before, one.after))
    return f"stays {before}, {after} is older" if one.effect is Effect.OLDER else f"{before} -> {after}"
