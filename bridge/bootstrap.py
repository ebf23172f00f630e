"""Settings -> Bridge: the only place where objects are built and tied together."""

import os
import random
import secrets
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog

from bridge import settings as environment
from bridge.errors import OperatorError
from bridge.gates import Endpoint, GateState
from bridge.mapping import files
from bridge.mapping.files import Mappings
from bridge.mapping.live import Folder, Live
from bridge.mapping.work import Limits
from bridge.metronome.client import Client
from bridge.metronome.directory import Directory
from bridge.model import Attempt, StoredEvent
from bridge.pipeline.caller import Caller, OwnEndpointGates
from bridge.pipeline.capture import Capturer
from bridge.pipeline.deliver import Deliverer
from bridge.pipeline.gatekeeper import EndpointGates, Gate, Gatekeeper
from bridge.pipeline.index import Indexer
from bridge.pipeline.janitor import Janitor
from bridge.pipeline.receive import Receiver
from bridge.pipeline.reload import Reloader, adopt
from bridge.pipeline.resolve import Resolver
from bridge.pipeline.swap import Swapper
from bridge.pipeline.translate import translate
from bridge.pipeline.translator import Translator
from bridge.pipeline.worker import Worker
from bridge.rotation import Rotating
from bridge.settings import Settings
from bridge.store import Store, open_store
from bridge.store.entities import Claim
from bridge.store.events import Translated
from bridge.supervisor import Supervisor
from bridge.times import DAY, SECOND, to_iso

log = structlog.get_logger()

#: What a lease has room for: the two calls of a write, and some time to spare for the database.
CALLS_PER_LEASE = 2
LEASE_MARGIN_SECONDS = 4.0


class MappingsError(OperatorError):
    """The mapping files cannot be used: one line for each thing that is wrong."""


@dataclass(frozen=True, slots=True)
class Bridge:
    settings: Settings
    folder: Folder
    live: Live
    store: Store
    receiver: Receiver
    capturer: Capturer
    supervisor: Supervisor

    @property
    def mappings(self) -> Mappings:
        """Those in use at this moment."""
        return self.live.mappings

    def indexed_keys(self) -> frozenset[str]:
        """Custom fields by which rules look customers up."""
        rules = (rule for source in self.mappings.sources.values() for rule in source.rules)
        return frozenset(key for rule in rules for key in rule.locator.indexed_keys)

    def close(self) -> None:
        self.store.close()


def now() -> int:
    return time.time_ns() // 1000


def load_mappings(settings: Settings, environ: Mapping[str, str] = os.environ) -> Mappings:
    return files.load(settings.mappings, partial(environment.read, environ))


def load_paths(paths: Iterable[Path], environ: Mapping[str, str] = os.environ) -> Mappings:
    """These mapping files and folders, whatever the settings say."""
    return files.load_paths(paths, partial(environment.read, environ))


def build(settings: Settings, environ: Mapping[str, str] = os.environ, *, strict: bool = True) -> Bridge:
    """Nothing is connected to yet. Raises OperatorError if a mapping file is wrong.

    Without `strict` the log says so, and its source is closed.
    """
    folder = Folder(settings.mappings, partial(environment.read, environ))
    mappings = folder.load()
    if mappings.errors and strict:
        raise MappingsError("\n".join(map(str, mappings.errors)))
    closed = {source.path for source in mappings.closed}
    for problem in mappings.problems:
        if problem.level == "error":
            log.error("mapping refused", problem=str(problem))
        elif problem.level == "warning" and problem.path not in closed:
            log.warning("mapping", problem=str(problem))
    if mappings.closed:
        log.warning("sources closed: their secrets are not set", sources=[source.name for source in mappings.closed])
    supervisor = Supervisor(steady)
    store = build_store(settings, supervisor)
    live = Live(mappings)
    receiver = Receiver(store.events, store.signal.announce)
    return Bridge(settings, folder, live, store, receiver, Capturer(store.captures, live), supervisor)


def build_store(settings: Settings, supervisor: Supervisor | None = None) -> Store:
    return open_store(
        settings.database_url,
        settings.database_connections,
        round(settings.lookup_cache_seconds * SECOND),
        supervisor,
        pooled_by=settings.database_pooler,
        server_clock=True,
    )


def build_client(settings: Settings, environ: Mapping[str, str] = os.environ) -> Client:
    return Client(
        settings.metronome_base_url,
        Rotating(environ, "METRONOME_API_TOKEN", settings.metronome_api_token, log_secret),
        connect_timeout_seconds=settings.metronome_connect_timeout_seconds,
        timeout_seconds=settings.metronome_timeout_seconds,
        clock=now,
    )


def build_worker(bridge: Bridge) -> Worker:
    """Raises OperatorError if there is no token to deliver with."""
    settings, store = bridge.settings, bridge.store
    if not settings.metronome_api_token:
        raise OperatorError("METRONOME_API_TOKEN is not set: delivery needs it (BRIDGE_DELIVERY=off does without)")
    store.expect(bridge.mappings.sources)
    client = build_client(settings)
    lease_for = lease_of(settings)
    park_for = round(settings.park_days * DAY)
    clock = SteadyClock()
    new_lease = partial(secrets.token_hex, 8)
    limits = Limits(settings.rules_seconds, settings.rules_changes)
    directory = Directory(client)
    gatekeeper = build_gatekeeper(settings, store.gate, store.endpoint_gates, clock)
    gatekeeper.verify = lambda: client.customers({"limit": "1"})[0]
    return Worker(
        store,
        translator=Translator(
            store.events,
            lambda event: log_dating(event, translate(event, bridge.live.sources, limits, time.thread_time_ns)),
            clock=clock,
            crowded=bridge.receiver.is_crowded,
        ),
        deliverer=Deliverer(
            store.entities,
            store.conflicts,
            Swapper(store.entities, store.conflicts, clock=clock, new_lease=new_lease),
            gatekeeper,
            client,
            clock=clock,
            jitter=random.random,
            sleep=time.sleep,
            call_budget=round(call_seconds(settings) * SECOND),
            park_for=park_for,
            resend_unchanged=settings.resend_unchanged,
            log=log_attempt,
            forget=store.references.forget,
        ),
        resolver=Resolver(
            store.references,
            gatekeeper,
            directory,
            Indexer(
                store.index,
                store.references,
                directory,
                clock=clock,
                keys=bridge.indexed_keys,
                every=round(settings.lookup_index_seconds * SECOND),
                lease_for=lease_for,
            ),
            clock=clock,
            jitter=random.random,
            sleep=time.sleep,
            park_for=park_for,
        ),
        gatekeeper=gatekeeper,
        clock=clock,
        new_lease=new_lease,
        lease_for=lease_for,
        threads=settings.delivery_threads,
        janitor=build_janitor(settings, store, clock),
        crowded=bridge.receiver.is_crowded,
        supervisor=bridge.supervisor,
    )


def build_reloader(bridge: Bridge, *, delivers: bool) -> Reloader:
    """`delivers`: whether this process translates events too."""
    settings = bridge.settings
    return Reloader(
        bridge.live,
        bridge.folder,
        clock=SteadyClock(),
        every_seconds=settings.reload_seconds,
        grace=round(settings.removal_grace_seconds * SECOND),
        adopt=partial(adopt, bridge.store, beat=bridge.supervisor.beat) if delivers else leave,
        supervisor=bridge.supervisor,
    )


def leave(_: Collection[str]) -> None:
    """Nothing is to be done about a source that is new here."""


def call_seconds(settings: Settings) -> float:
    """The longest that one call can take."""
    return settings.metronome_connect_timeout_seconds + settings.metronome_timeout_seconds


def lease_of(settings: Settings) -> int:
    return round((CALLS_PER_LEASE * call_seconds(settings) + LEASE_MARGIN_SECONDS) * SECOND)


def build_gatekeeper(
    settings: Settings, gate: Gate, endpoint_gates: EndpointGates, clock: Callable[[], int]
) -> Gatekeeper:
    return Gatekeeper(
        gate,
        endpoint_gates,
        rate=settings.metronome_max_calls_per_second,
        permit_for=lease_of(settings),
        clock=clock,
        jitter=random.random,
        alarm=log_gate,
    )


def build_caller(settings: Settings, gate: Gate) -> Caller:
    """For commands that ask Metronome themselves. Raises OperatorError if there is no token to ask with."""
    if not settings.metronome_api_token:
        raise OperatorError("METRONOME_API_TOKEN is not set: Metronome cannot be asked without it")
    clock = SteadyClock()
    endpoints = OwnEndpointGates()
    gatekeeper = build_gatekeeper(settings, gate, endpoints, clock)
    return Caller(gatekeeper, endpoints, clock=clock, jitter=random.random, sleep=time.sleep)


def build_janitor(settings: Settings, store: Store, clock: Callable[[], int]) -> Janitor:
    keep_for = round(settings.retention_days * DAY) if settings.retention_days else None
    # What was received while the machine's clock was ahead leads ours: nothing looks old because of that.
    return Janitor(store.retention, keep_for=keep_for, clock=lambda: min(clock(), now()))


class SteadyClock:
    """Microseconds since 1970. It does not jump when somebody sets this machine's clock; it follows the database's."""

    def __init__(self) -> None:
        self._offset = now() - steady()

    def __call__(self) -> int:
        return steady() + self._offset

    def follow(self, now: int) -> None:
        self._offset = now - steady()


def steady() -> int:
    return time.monotonic_ns() // 1000


def log_secret(name: str, problem: str | None) -> None:
    if problem is None:
        log.info("secret taken from its file", setting=name)
    else:
        log.error("secret cannot be read: the last one is used", setting=name, problem=problem)


def log_dating(event: StoredEvent, made: Translated) -> Translated:
    """Returns `made`, and logs which of its times were not used because they lie in the future."""
    for change in made.changes:
        if change.ahead:
            log.warning(
                "dated by receipt",
                source=event.source,
                number=event.id,
                rule=change.rule,
                seconds_ahead=change.ahead // SECOND,
            )
    return made


def log_gate(state: GateState, endpoint: Endpoint | None) -> None:
    log.error(
        "gate closed",
        endpoint=endpoint.call if endpoint else "all",
        cause=str(state.cause),
        reason=state.reason,
        until=to_iso(state.closed_until),
        closings=state.closings,
    )


def log_attempt(claim: Claim, attempt: Attempt) -> None:
    """One line with every fact of a call, but no value and none of Metronome's words, which might quote one."""
    log.info(
        "call",
        call=attempt.call,
        entity=claim.entity,
        entity_id=claim.entity_id,
        keys=len(attempt.keys),
        changes=len(attempt.changes),
        verdict=str(attempt.outcome.verdict),
        status=attempt.outcome.status,
        duration_ms=attempt.duration // 1000,
    )
