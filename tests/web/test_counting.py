"""What is counted and logged of requests: bounded, of all processes, and with the address of who is calling."""

import ipaddress
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bridge.times import SECOND
from bridge.web.addresses import client_of
from bridge.web.slots import assign_slot, remove_abandoned, shared_folder
from bridge.web.throttle import MOST, Throttle
from tests.support.bridges import STRIPE
from tests.support.clock import Clock
from tests.support.processes import until
from tests.support.stripe_events import customer_updated, signed

URL = "/webhooks/stripe"


class Lines:
    """A log that can be read."""

    def __init__(self):
        self.written = []

    def warning(self, event, **facts):
        self.written.append({"event": event} | facts)


@pytest.fixture
def lines(monkeypatch):
    log = Lines()
    monkeypatch.setattr("bridge.web.throttle.log", log)
    return log.written


TRUSTED = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("2001:db8::/32"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", "", "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "198.51.100.1, <script>", "10.0.0.1"),
        ("::ffff:10.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("10.0.0.1", "198.51.100.1,[2001:db8::1]", "198.51.100.1"),
        ("", "198.51.100.1", ""),
    ],
)
def test_the_client_is_who_the_last_trusted_proxy_says(peer, forwarded, client):
    assert client_of(peer, forwarded, TRUSTED) == client


def test_without_trusted_proxies_nobody_is_believed():
    assert client_of("10.0.0.1", "198.51.100.1", ()) == "10.0.0.1"


def test_a_refusal_is_logged_with_the_address_of_the_client(make_client, lines):
    client = make_client(BRIDGE_TRUSTED_PROXIES="127.0.0.0/8")
    client.post(URL, data=b"{}", headers={"X-Forwarded-For": "6.6.6.6, 198.51.100.1"})
    (line,) = lines
    assert line["event"] == "refused"
    assert (line["address"], line["status"], line["code"]) == ("198.51.100.1", 401, "not_verified")


def test_thousands_of_refusals_are_a_few_lines_and_their_number(client, lines):
    throttle = client.application.extensions["throttle"]
    clock = throttle.clock = Clock()
    for _ in range(200):
        client.post(URL, data=b"{}")
    throttle.tell()
    clock.advance(SECOND)
    client.post(URL, data=b"{}")
    refused = [line for line in lines if line["event"] == "refused"]
    omitted = sum(line.get("omitted", 0) for line in lines)
    assert (len(refused), omitted) == (MOST + 1, 200 - MOST)
    assert counted(client)["bridge_webhooks_total", "not_verified", "stripe"] == 201


class Broken:
    """A log on a full disk."""

    def warning(self, *_args, **_given):
        raise OSError(28, "No space left on device")

    error = exception = warning


def test_a_log_that_cannot_be_written_changes_no_answer(client, monkeypatch):
    monkeypatch.setattr("bridge.web.throttle.log", Broken())
    assert client.post(URL, data=b"{}").status_code == 401
    assert client.post(URL, **signed(customer_updated())).status_code == 200


def test_the_number_of_lines_left_out_is_told_by_itself(lines):
    throttle = Throttle(Clock(), most=1)
    for _ in range(3):
        throttle.warning("refused")

    def told():
        return [line["omitted"] for line in lines if "omitted" in line]

    assert until(told) == [2]


def counted(client):
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {
        (one.name, *[one.labels[label] for label in sorted(one.labels)]): one.value
        for f in families
        for one in f.samples
    }


def outcomes(client):
    return {
        labels: value
        for (name, *labels), value in counted(client).items()
        if name == "bridge_webhooks_total"
        for labels in [tuple(labels)]
    }


def test_every_answer_is_counted_by_source_and_outcome(make_client, monkeypatch):
    capturing = STRIPE.replace("rules:", "on_unverified: {acknowledge: true}\nrules:")
    client = make_client({"stripe": STRIPE, "new": capturing, "shut": STRIPE.replace("STRIPE_WEBHOOK", "NO")})
    for _ in range(2):
        client.post(URL, **signed(customer_updated()))
    client.post(URL, data=b"{}")
    client.post(URL, **signed(b"[]"))
    client.post(URL, **signed(b"x" * (2 << 20)))
    client.post(URL, data=b"x", headers={"Content-Encoding": "gzip"})
    client.post(URL, data=b"half", environ_overrides={"CONTENT_LENGTH": "100"})
    client.put(URL)
    client.head(URL)
    client.post("/webhooks/new", data=b"{}")
    client.post("/webhooks/shut", data=b"{}")
    client.post("/webhooks/random-1234", data=b"{}")
    client.get("/wp-login.php")
    client.get("/healthz")
    monkeypatch.setattr(client.bridge.store.events, "add", lambda *_: 1 / 0)
    client.post(URL, **signed(customer_updated("evt_2")))
    assert outcomes(client) == {
        ("stored", "stripe"): 1,
        ("repeat", "stripe"): 1,
        ("not_verified", "stripe"): 1,
        ("not_this_shape", "stripe"): 1,
        ("too_large", "stripe"): 1,
        ("compressed", "stripe"): 1,
        ("incomplete", "stripe"): 1,
        ("method_not_allowed", ""): 1,
        ("seen", "stripe"): 1,
        ("captured", "new"): 1,
        ("closed", "shut"): 1,
        ("not_found", ""): 2,
        ("error", "stripe"): 1,
    }


COUNT = """
import sys
from bridge.web.counters import Counters, Outcome, use_slot
use_slot(int(sys.argv[1]))
counters = Counters()
counters.webhook("stripe", Outcome.STORED)
found = counters.of_all_processes().get_sample_value("bridge_webhooks_total", {"source": "stripe", "outcome": "stored"})
print(int(found), flush=True)
import os
os.kill(os.getpid(), 9)
"""


def test_counters_of_all_processes_are_added_up_and_do_not_go_back_when_one_is_killed(tmp_path):
    environ = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}

    def count_in(slot):
        command = [sys.executable, "-c", COUNT, str(slot)]
        return int(subprocess.run(command, env=environ, capture_output=True, check=False).stdout)

    assert [count_in(slot) for slot in (0, 1, 0, 0)] == [1, 2, 3, 4]
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["counter_0.db", "counter_1.db", "gauge_livesum_0.db", "gauge_livesum_1.db"]


def test_a_new_process_gets_the_lowest_slot_that_is_free():
    workers = {}
    for pid in range(4):
        worker = workers[pid] = SimpleNamespace(slot=None)
        assign_slot(SimpleNamespace(WORKERS={key: one for key, one in workers.items() if one is not worker}), worker)
    assert [one.slot for one in workers.values()] == [0, 1, 2, 3]
    del workers[1]
    late = SimpleNamespace(slot=None)
    assign_slot(SimpleNamespace(WORKERS=workers), late)
    assert late.slot == 1


def test_a_folder_that_a_killed_server_left_is_removed_and_that_of_a_living_one_is_not(tmp_path):
    abandoned = tmp_path / "metronome-bridge-1"
    abandoned.mkdir()
    (abandoned / "lock").touch()
    with shared_folder(tmp_path) as folder:
        assert not abandoned.exists()
        remove_abandoned(tmp_path)
        assert folder.is_dir()
    assert list(tmp_path.iterdir()) == []
