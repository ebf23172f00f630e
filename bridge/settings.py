"""Environment -> frozen Settings. One table holds every name, default and help text; docs/configuration.md shows it."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bridge.errors import SettingError

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the environment says. Times are in the units of their names."""

    metronome_api_token: str = field(repr=False)
    metronome_base_url: str
    metronome_connect_timeout_seconds: float
    metronome_timeout_seconds: float
    metronome_max_calls_per_second: float
    database_url: str = field(repr=False)
    database_connections: int
    database_pooler: str
    mappings: Path
    reload_seconds: float
    removal_grace_seconds: float
    public_urls: tuple[str, ...]
    trusted_proxies: tuple[Network, ...]
    max_body_bytes: int
    delivery: bool
    delivery_threads: int
    rules_seconds: float
    rules_changes: int
    resend_unchanged: bool
    lookup_cache_seconds: float
    lookup_index_seconds: float
    park_days: float
    retention_days: float
    stop_seconds: float
    log_format: str
    log_level: str
    host: str
    port: int
    web_processes: int
    web_threads: int
    ops_port: int


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table: the environment variable `name` becomes the attribute `attribute`."""

    name: str
    attribute: str
    parse: Callable[[str], Any]
    default: str
    help: str
    secret: bool = False


def read(environ: Mapping[str, str], name: str) -> str | None:
    """The value of `name`, or the content of the file that `NAME_FILE` names; None if neither is set or it is empty.

    Line breaks at the end of a file are not part of its content. Raises SettingError if the file cannot be read or has
    nothing in it but white space: it may be about to be written, and must not become a secret that can be guessed.
    """
    path = environ.get(f"{name}_FILE")
    if not path:
        value = environ.get(name) or None
        if value and not value.strip():
            raise SettingError(f"{name} is only white space: set it to a value, or remove it")
        return value
    if environ.get(name):
        raise SettingError(f"{name} and {name}_FILE are both set: keep one")
    try:
        content = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"{name}_FILE: cannot read {path}: {error.__class__.__name__}") from None
    if not content.strip():
        raise SettingError(f"{name}_FILE: {path} is empty or holds only white space: write the value into it")
    return content


def text(value: str) -> str:
    return value


def token(value: str) -> str:
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError("a token without spaces and line breaks is expected")
    return value


def url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("a URL such as https://hooks.example.com is expected")
    if parts.username is not None or parts.password is not None:
        raise ValueError("a URL without a user and a password is expected: they would be shown, and sent to no use")
    return value.rstrip("/")


def urls(value: str) -> tuple[str, ...]:
    return tuple(url(part.strip()) for part in value.split(",") if part.strip())


def networks(value: str) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(part.strip()) for part in value.split(",") if part.strip())
    except ValueError:
        raise ValueError("addresses and networks such as 10.0.0.5, 10.1.0.0/16 are expected") from None


def database_url(value: str) -> str:
    if value != value.strip():
        raise ValueError("there is white space around it: remove it")
    scheme, separator, rest = value.partition("://")
    driver = {"sqlite": "sqlite", "postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg"}
    driver["postgresql+psycopg"] = driver["postgresql"]
    if not separator or scheme not in driver:
        raise ValueError("sqlite:///path/to/bridge.db or postgresql://user:password@host/database is expected")
    if scheme != "sqlite" and rest.partition("?")[0].count("@") > 1:
        raise ValueError("an @ in a user or a password is written %40")
    return f"{driver[scheme]}://{rest}"


def switch(value: str) -> bool:
    words = {"on": True, "true": True, "off": False, "false": False}
    if value.lower() not in words:
        raise ValueError("on or off is expected")
    return words[value.lower()]


def one_of(*words: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value.lower() not in words:
            raise ValueError(f"one of {', '.join(words)} is expected")
        return value.lower()

    return parse


def whole(least: int, most: int) -> Callable[[str], int]:
    def parse(value: str) -> int:
        if not (value.isascii() and value.isdigit() and least <= int(value) <= most):
            raise ValueError(f"a whole number from {least} to {most} is expected")
        return int(value)

    return parse


def number(least: float, most: float) -> Callable[[str], float]:
    def parse(value: str) -> float:
        try:
            result = float(value)
        except ValueError:
            result = float("nan")
        if not least <= result <= most:
            raise ValueError(f"a number from {least:g} to {most:g} is expected")
        return result

    return parse


SETTINGS = (
    Setting(
        "METRONOME_API_TOKEN",
        "metronome_api_token",
        token,
        "",
        "The bearer token for Metronome's API. Delivery needs it.",
        secret=True,
    ),
    Setting(
        "METRONOME_BASE_URL",
        "metronome_base_url",
        url,
        "https://api.metronome.com",
        "Where Metronome's API is.",
    ),
    Setting(
        "METRONOME_CONNECT_TIMEOUT_SECONDS",
        "metronome_connect_timeout_seconds",
        number(0.1, 30),
        "3",
        "How long connecting to Metronome and sending a request may take in all: name lookup, proxy and TLS included.",
    ),
    Setting(
        "METRONOME_TIMEOUT_SECONDS",
        "metronome_timeout_seconds",
        number(0.1, 60),
        "10",
        "How long Metronome's whole answer may take after that. A call is over within both times together.",
    ),
    Setting(
        "METRONOME_MAX_CALLS_PER_SECOND",
        "metronome_max_calls_per_second",
        number(0, 10_000),
        "0",
        "The most calls to make in a second, over all replicas together. 0: as many as Metronome takes.",
    ),
    Setting(
        "DATABASE_URL",
        "database_url",
        database_url,
        "sqlite:///bridge.db",
        "Where events are remembered: SQLite for one machine, postgresql://... for more.",
        secret=True,
    ),
    Setting(
        "BRIDGE_DATABASE_CONNECTIONS",
        "database_connections",
        whole(2, 1000),
        "8",
        "The most database connections that one process opens.",
    ),
    Setting(
        "BRIDGE_DATABASE_POOLER",
        "database_pooler",
        one_of("none", "transaction"),
        "none",
        "transaction: DATABASE_URL leads to a pooler that gives each transaction another session, such as pgbouncer.",
    ),
    Setting("BRIDGE_MAPPINGS", "mappings", Path, "mappings", "The folder of mapping files, one for each source."),
    Setting(
        "BRIDGE_RELOAD_SECONDS",
        "reload_seconds",
        number(0, 3600),
        "2",
        "How often to look for changed mapping files. Two looks in a row must see the same. 0: only on SIGHUP.",
    ),
    Setting(
        "BRIDGE_REMOVAL_GRACE_SECONDS",
        "removal_grace_seconds",
        number(0, 30 * 86400),
        "300",
        "For how long a source goes on whose mapping file is gone.",
    ),
    Setting(
        "BRIDGE_PUBLIC_URL",
        "public_urls",
        urls,
        "",
        "Where senders reach the bridge, such as https://hooks.example.com. HubSpot signs it. Several, with commas"
        " between them, while you move. Default: this machine's own address, for trying things out.",
    ),
    Setting(
        "BRIDGE_TRUSTED_PROXIES",
        "trusted_proxies",
        networks,
        "",
        "Addresses and networks of the proxies in front, such as 10.0.0.5, 10.1.0.0/16. Only what they say in"
        " X-Forwarded-For is believed. It decides which client address is logged, and nothing else.",
    ),
    Setting(
        "BRIDGE_MAX_BODY_BYTES",
        "max_body_bytes",
        whole(1024, 64 << 20),
        "1048576",
        "Larger requests are answered 413.",
    ),
    Setting(
        "BRIDGE_DELIVERY",
        "delivery",
        switch,
        "on",
        "Whether the web processes deliver too. off: run `metronome-bridge worker` beside them.",
    ),
    Setting(
        "BRIDGE_DELIVERY_THREADS",
        "delivery_threads",
        whole(1, 128),
        "8",
        "How many calls to Metronome one process makes at a time.",
    ),
    Setting(
        "BRIDGE_RULES_SECONDS",
        "rules_seconds",
        number(0, 60),
        "2",
        "How much processor time the rules of one event may take before it fails. 0: any amount.",
    ),
    Setting(
        "BRIDGE_RULES_CHANGES",
        "rules_changes",
        whole(0, 1_000_000),
        "10000",
        "How many changes the rules may make of one event before it fails. 0: any number.",
    ),
    Setting(
        "BRIDGE_RESEND_UNCHANGED",
        "resend_unchanged",
        switch,
        "off",
        "Whether to send a value that Metronome is known to hold already.",
    ),
    Setting(
        "BRIDGE_LOOKUP_CACHE_SECONDS",
        "lookup_cache_seconds",
        number(0, 30 * 86400),
        "3600",
        "How long an answer to a lookup (which customer has this ingest alias?) is trusted.",
    ),
    Setting(
        "BRIDGE_LOOKUP_INDEX_SECONDS",
        "lookup_index_seconds",
        number(10, 30 * 86400),
        "300",
        "How long to wait between two readings of all customers, for lookups by custom field that find nobody.",
    ),
    Setting(
        "BRIDGE_PARK_DAYS",
        "park_days",
        number(0, 365),
        "7",
        "How long a change waits for a customer that Metronome does not know yet, before it is refused.",
    ),
    Setting(
        "BRIDGE_RETENTION_DAYS",
        "retention_days",
        number(0, 3650),
        "90",
        "How long to keep events that are done with, their changes, and the calls made. 0: for good.",
    ),
    Setting(
        "BRIDGE_STOP_SECONDS",
        "stop_seconds",
        number(1, 300),
        "25",
        "How long a process that was told to stop may finish what it has begun.",
    ),
    Setting("BRIDGE_LOG_FORMAT", "log_format", one_of("text", "json"), "text", "text or json, on standard error."),
    Setting(
        "BRIDGE_LOG_LEVEL",
        "log_level",
        one_of("debug", "info", "warning", "error"),
        "info",
        "debug, info, warning or error.",
    ),
    Setting("BRIDGE_HOST", "host", text, "127.0.0.1", "The address to listen on. 0.0.0.0: every one."),
    Setting("PORT", "port", whole(1, 65535), "8080", "The port to listen on."),
    Setting("WEB_CONCURRENCY", "web_processes", whole(1, 256), "2", "How many web processes to run."),
    Setting(
        "BRIDGE_WEB_THREADS", "web_threads", whole(1, 256), "32", "How many requests one web process takes at a time."
    ),
    Setting(
        "BRIDGE_OPS_PORT",
        "ops_port",
        whole(0, 65535),
        "0",
        "Where `metronome-bridge worker` answers /healthz, /readyz and /metrics, on BRIDGE_HOST. 0: nowhere.",
    ),
)


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """Every setting. Raises SettingError that names all that are wrong, never their values if they are secret."""
    values, problems = {}, []
    for setting in SETTINGS:
        try:
            given = read(environ, setting.name)
            values[setting.attribute] = setting.parse(setting.default if given is None else given)
        except ValueError as error:
            problems.append(f"{setting.name}: {error}")
        except SettingError as error:
            problems.append(str(error))
    if problems:
        raise SettingError("\n".join(problems))
    if not values["public_urls"]:
        values["public_urls"] = tuple(f"http://{host}:{values['port']}" for host in ("127.0.0.1", "localhost"))
    return Settings(**values)
