"""python -m bench ingest|freshness|burst|outage|flat|rules|diff: see README.md."""

import statistics
import threading
import time
from datetime import datetime

import click

from bench import load
from bench.diff import diff
from bench.flat import flat
from bench.load import Events, Sent, percentile
from bench.rules import rules
from bench.stand import BRIDGE, FORGETFUL, Stand, stand

PATIENCE_SECONDS = 120


@click.group()
@click.option("--postgres", metavar="URL", help="A server to measure on too, such as postgresql://postgres@127.0.0.1.")
@click.pass_context
def commands(context: click.Context, postgres: str | None) -> None:
    """Measure the bridge on this machine: on SQLite, and on PostgreSQL if one is given."""
    context.obj = {"SQLite": None} | ({"PostgreSQL": postgres} if postgres else {})


@commands.command()
@click.option("--seconds", default=5.0, show_default=True, help="For each run.")
@click.option("--connections", default=32, show_default=True)
@click.option("--runs", default=3, show_default=True)
@click.pass_obj
def ingest(databases: dict[str, str | None], seconds: float, connections: int, runs: int) -> None:
    """Webhooks acknowledged a second, beside the same application that stores nothing."""
    forgetful = ("stores nothing", None, FORGETFUL)
    kinds = [forgetful, *((name, url, BRIDGE) for name, url in databases.items())]
    rates: dict[str, list[float]] = {}
    tails: dict[str, list[float]] = {}
    for _ in range(runs):
        for name, url, module in kinds:
            with stand(url, module=module, BRIDGE_DELIVERY="off") as made:
                load.as_fast_as_answered(made.port, Events(200), connections, 1.0)
                sent = load.as_fast_as_answered(made.port, Events(200), connections, seconds)
            check(sent)
            rates.setdefault(name, []).append(len(sent) / seconds)
            tails.setdefault(name, []).append(1000 * percentile([one.seconds for one in sent], 0.99))
    rate, tail = (statistics.median(figures[forgetful[0]]) for figures in (rates, tails))
    for name, *_ in kinds:
        ours, slowest = statistics.median(rates[name]), statistics.median(tails[name])
        click.echo(
            f"{name:15} {ours:6.0f}/s ({ours / rate:4.2f})   p99 {slowest:5.0f} ms ({slowest / tail:3.1f})"
            f"   runs: {', '.join(f'{one:.0f}' for one in rates[name])}"
        )


@commands.command()
@click.option("--rate", default=50.0, show_default=True, help="Events a second.")
@click.option("--count", default=1000, show_default=True)
@click.option("--latency-ms", default=20, show_default=True, help="How long Metronome takes to answer.")
@click.pass_obj
def freshness(databases: dict[str, str | None], rate: float, count: int, latency_ms: int) -> None:
    """From when an event is due to be sent until the call for it reaches Metronome."""
    for name, url in databases.items():
        with stand(url, sandbox=("--latency-ms", str(latency_ms))) as made:
            sent = load.at_rate(made.port, Events(200), rate, count)
            check(sent)
            settled(made, sent)
            fresh = [1000 * (at - one.due) for one, at in zip(sent, arrivals(made, sent), strict=True)]
        click.echo(f"{name:15} p50 {percentile(fresh, 0.5):5.1f} ms   p99 {percentile(fresh, 0.99):5.1f} ms")


@commands.command()
@click.option("--count", default=10_000, show_default=True)
@click.option("--customers", default=200, show_default=True)
@click.option("--limit", default=50, show_default=True, help="Calls a second that Metronome allows.")
@click.pass_obj
def burst(databases: dict[str, str | None], count: int, customers: int, limit: int) -> None:
    """Many events of few customers at full speed, against a rate limit."""
    for name, url in databases.items():
        with stand(url, sandbox=("--latency-ms", "20", "--rate-limit", str(limit))) as made:
            sent = load.all_at_once(made.port, Events(customers), 32, count)
            acknowledged = time.time()
            check(sent)
            seconds = settled(made, sent) - acknowledged
            calls = made.dump()["statuses"]
        click.echo(
            f"{name:15} correct {seconds:4.1f} s after the last event was acknowledged; calls by status: {calls}"
        )


@commands.command()
@click.option("--rate", default=50.0, show_default=True, help="Events a second.")
@click.option("--customers", default=200, show_default=True)
@click.option("--before", default=10.0, show_default=True, help="Seconds of events before the outage.")
@click.option("--lasts", default=20.0, show_default=True, help="Seconds of events that the outage lasts.")
@click.pass_obj
def outage(databases: dict[str, str | None], rate: float, customers: int, before: float, lasts: float) -> None:
    """Metronome answers 503 for a while; webhooks come in all the same."""
    for name, url in databases.items():
        with stand(url, sandbox=("--latency-ms", "20")) as made:
            begin = threading.Timer(before, made.play, [{"outage": True}])
            begin.start()
            sent = load.at_rate(made.port, Events(customers), rate, round(rate * (before + lasts)))
            begin.join()
            check(sent)
            made.play({"outage": False})
            over = time.time()
            seconds = settled(made, sent) - over
            calls = made.dump()["statuses"]
        click.echo(f"{name:15} correct {seconds:4.1f} s after the end of the outage; calls by status: {calls}")


commands.add_command(diff)
commands.add_command(flat)
commands.add_command(rules)


def check(sent: list[Sent]) -> None:
    """Whatever was not acknowledged makes every figure meaningless."""
    if refused := [one.status for one in sent if one.status != 200]:
        raise click.ClickException(f"{len(refused)} of {len(sent)} were not acknowledged, but answered {set(refused)}")


def settled(made: Stand, sent: list[Sent]) -> float:
    """When Metronome held the newest revision of every customer."""
    newest: dict[str, int] = {}
    for one in sent:
        newest[one.customer] = max(one.revision, newest.get(one.customer, 0))
    for _ in range(PATIENCE_SECONDS * 10):
        if made.revisions() == newest:
            return time.time()
        time.sleep(0.1)
    raise click.ClickException(f"after {PATIENCE_SECONDS} s Metronome does not hold the newest of every customer")


def arrivals(made: Stand, sent: list[Sent]) -> list[float]:
    """When each revision, or a newer one of its customer, reached Metronome."""
    by_customer: dict[str, list[tuple[float, int]]] = {}
    for call in made.dump()["calls"]:
        at = datetime.fromisoformat(call["at"]).timestamp()
        by_customer.setdefault(call["entity_id"], []).append((at, int(call["custom_fields"]["revision"])))
    return [next(at for at, revision in by_customer[one.customer] if revision >= one.revision) for one in sent]


if __name__ == "__main__":
    commands(prog_name="python -m bench")
