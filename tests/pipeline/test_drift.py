"""Drift: what somebody else changed in Metronome is found, told from what is under way, and repaired in order."""

import pytest

from bridge.errors import BridgeError
from bridge.metronome import reading
from bridge.metronome.client import Client
from bridge.metronome.reading import READERS, WITH_CONTRACTS
from bridge.model import Outcome, Verdict
from bridge.pipeline import drift
from bridge.pipeline.caller import Caller, OwnEndpointGates
from bridge.pipeline.drift import NEEDS_CUSTOMER, NEVER_READ, Inspector, Kind, pace, repair
from bridge.store.entities import Settlement
from bridge.store.held import PAGE, Scope
from bridge.times import DAY, SECOND
from tests.support.making import ENTITY_ID, NOW, OTHER_ID, asking, change, translated
from tests.support.sandbox import TOKEN, serving_sandbox

CUSTOMERS = "/v1/customers"
SET = "/v1/customFields/setValues"


class Scene:
    """The pipeline in front of a sandbox, and somebody who looks for drift."""

    def __init__(self, pipeline, sandbox):
        self.pipeline = pipeline
        self.store = pipeline.store
        self.world = sandbox.world
        self.sandbox = sandbox
        client = Client(sandbox.url, TOKEN, connect_timeout_seconds=5, timeout_seconds=5, clock=pipeline.clock)
        pipeline.deliverer.metronome = client
        self.caller = Caller(
            pipeline.gatekeeper, OwnEndpointGates(), clock=pipeline.clock, jitter=lambda: 1.0, sleep=self.sleep
        )
        self.inspector = Inspector(self.store.holdings, self.caller, client)

    def sleep(self, seconds):
        self.pipeline.clock.advance(round(seconds * SECOND))

    def customer(self, *ids):
        for one in ids:
            self.world.add_customer({"id": one, "name": "Acme"}, NOW)

    def write(self, name="evt_1", values=None, at=NOW, **given):
        """An event is received and delivered."""
        self.receive(name, values or {"tier": "gold"}, at, **given)
        while self.pipeline.deliver():
            pass

    def receive(self, name, values, at=NOW, *, entity="customer", entity_id=ENTITY_ID):
        def translate(event):
            return translated(change(values, event.occurred_at, entity=entity, entity_id=entity_id))

        self.pipeline.receive(asking(name, {}, at), translate=translate)

    def behind(self, entity_id=ENTITY_ID, entity="customer", **values):
        """Somebody else changes values in Metronome."""
        for key, value in values.items():
            if value is None:
                self.world.delete_values(entity, entity_id, [key])
            else:
                self.world.set_values(entity, entity_id, {key: value})

    def held(self, entity_id=ENTITY_ID, entity="customer"):
        return self.world.held(entity, entity_id)

    def inspect(self, contracts=False, **scope):
        return self.inspector.inspect(Scope(**scope), contracts=contracts)

    def found(self, **given):
        return [(one.ours.key, one.kind, one.theirs) for one in self.inspect(**given).differences]

    def repair(self, apart=0):
        found = self.inspect().repairable
        return repair(self.store, found, now=self.pipeline.clock(), pace=apart)


@pytest.fixture
def scene(pipeline):
    with serving_sandbox() as sandbox:
        made = Scene(pipeline, sandbox)
        made.customer(ENTITY_ID, OTHER_ID)
        yield made


def test_what_metronome_holds_as_it_was_written_is_no_drift(scene):
    scene.write(values={"tier": "gold", "coupon": None})
    report = scene.inspect()
    assert (report.is_clean, report.read, report.moving) == (True, {"customer": 1}, 0)


BEHIND = [
    ({"tier": "gold"}, {"tier": "silver"}, ("tier", Kind.DIFFERS, "silver")),
    ({"tier": "gold"}, {"tier": None}, ("tier", Kind.MISSING, None)),
    ({"tier": None}, {"tier": "silver"}, ("tier", Kind.LEFT, "silver")),
]


@pytest.mark.parametrize(("ours", "theirs", "expected"), BEHIND)
def test_a_value_that_was_changed_behind_our_back_is_found_with_the_event_that_had_set_it(
    scene, ours, theirs, expected
):
    scene.write("evt_old", {"tier": "first"})
    scene.write("evt_1", ours, NOW + SECOND)
    scene.behind(**theirs)
    (found,) = scene.inspect().differences
    assert (found.ours.key, found.kind, found.theirs) == expected
    assert (found.ours.entity_id, found.ours.value) == (ENTITY_ID, ours["tier"])
    assert found.set_by == ("stripe", "evt_1")
    assert (found.ours.stamp.occurred_at, found.ours.set_at) == (NOW + SECOND, scene.pipeline.clock())


def test_what_no_event_has_set_does_not_matter(scene):
    scene.write()
    scene.behind(note="by hand")
    assert scene.inspect().is_clean


def test_an_entity_that_is_gone_is_told_once_for_each_value_and_not_repaired(scene):
    scene.write(values={"tier": "gold", "plan": "pro", "coupon": None})
    del scene.world.customers[ENTITY_ID]
    report = scene.inspect()
    assert [(one.ours.key, one.kind) for one in report.differences] == [("plan", Kind.GONE), ("tier", Kind.GONE)]
    assert report.repairable == []


def test_an_entity_that_is_gone_and_had_nothing_is_no_drift(scene):
    scene.write(values={"coupon": None})
    del scene.world.customers[ENTITY_ID]
    assert scene.inspect().is_clean


def test_an_event_that_is_no_longer_kept_leaves_its_number_and_time(scene):
    scene.write()
    scene.behind(tier="silver")
    assert [pruned.events for pruned in scene.store.retention.prune(NOW + DAY, 100)] == [1, 0]
    (found,) = scene.inspect().differences
    assert (found.set_by, found.ours.stamp.occurred_at) == (None, NOW)
    assert found.ours.stamp.event > 0


@pytest.mark.parametrize("entity", READERS)
def test_every_kind_that_is_read_by_its_id_is_compared(scene, entity):
    if entity != "customer":
        scene.world.add_item({"entity": entity, "id": ENTITY_ID, "name": "Seats"}, NOW)
    scene.write(entity=entity)
    assert scene.inspect().is_clean
    scene.behind(entity=entity, tier="silver")
    assert scene.found() == [("tier", Kind.DIFFERS, "silver")]
    scene.world.catalog.clear()
    scene.world.customers.clear()
    assert scene.found() == [("tier", Kind.GONE, None)]


PART_ID = "00000000-0000-4000-8000-00000000000a"


@pytest.mark.parametrize("entity", ["contract", "commit", "contract_credit", "scheduled_charge", "subscription"])
def test_contracts_and_their_parts_are_found_through_all_customers_if_that_is_asked_for(scene, entity):
    is_contract = entity == "contract"
    parts = [] if is_contract else [{"entity": entity, "id": PART_ID}]
    scene.world.add_contract({"customer_id": OTHER_ID, "id": PART_ID if is_contract else None, "parts": parts}, NOW)
    scene.write(entity=entity, entity_id=PART_ID)
    assert scene.inspect().left_out == {entity: (1, NEEDS_CUSTOMER)}
    report = scene.inspect(contracts=True)
    assert (report.is_clean, report.read, report.left_out) == (True, {entity: 1}, {})
    scene.behind(PART_ID, entity, tier="silver")
    assert scene.found(contracts=True) == [("tier", Kind.DIFFERS, "silver")]


def test_a_contract_that_no_customer_has_could_not_be_read(scene):
    scene.write(entity="contract", entity_id=PART_ID)
    report = scene.inspect(contracts=True)
    assert [(one.entity, one.entity_id) for one in report.unread] == [("contract", PART_ID)]
    assert not report.is_clean


@pytest.mark.parametrize("entity", ["alert", "charge", "invoice", "product", "package_commit"])
def test_what_can_never_be_read_back_is_named_and_nobody_is_asked(scene, entity):
    scene.write(entity=entity)
    report = scene.inspect(contracts=True)
    assert report.left_out == {entity: (1, NEVER_READ)}
    assert {entity} & {*READERS, *WITH_CONTRACTS} == set()
    assert scene.sandbox.called(CUSTOMERS) == []


def test_a_hundred_customers_take_one_call(scene):
    ids = [f"{number:08x}{ENTITY_ID[8:]}" for number in range(2 * PAGE + 50)]
    scene.customer(*ids)
    for one in ids:
        scene.receive(one, {"tier": "gold"}, entity_id=one)
    while scene.pipeline.deliver():
        pass
    done = []
    report = scene.inspector.inspect(Scope(), advance=done.append)
    assert (report.is_clean, report.read["customer"], sum(done)) == (True, len(ids), len(ids))
    assert len(scene.sandbox.called(CUSTOMERS)) == 3


def test_it_can_be_narrowed_down(scene):
    scene.write("evt_1", {"tier": "gold"})
    scene.write("evt_2", {"tier": "gold"}, entity_id=OTHER_ID)
    scene.behind(tier="x")
    scene.behind(OTHER_ID, tier="y")
    assert scene.found() == [("tier", Kind.DIFFERS, "y"), ("tier", Kind.DIFFERS, "x")]
    assert scene.found(ids=(ENTITY_ID,)) == [("tier", Kind.DIFFERS, "x")]
    assert scene.found(entity="contract") == []
    assert len(scene.found(source="stripe")) == 2
    assert scene.found(source="hubspot") == []


def test_an_answer_that_helps_nobody_is_told_with_metronomes_words(scene):
    scene.write(entity="rate_card")
    scene.inspector.caller.make = lambda _: (Outcome(Verdict.REFUSED, 400, "no rate cards for you"), {})
    report = scene.inspect()
    assert [one.reason for one in report.unread] == ["Metronome answered 400: no rate cards for you"]
    assert not report.is_clean


# What is under way is no drift.


def test_a_change_that_waits_to_be_delivered_is_no_drift(scene):
    scene.write(values={"tier": "gold", "plan": "pro"})
    scene.receive("evt_2", {"tier": "silver"}, NOW + SECOND)
    scene.behind(tier="by hand", plan="by hand")
    report = scene.inspect()
    assert ([one.ours.key for one in report.differences], report.moving) == (["plan"], 1)


def interrupted(scene, number, *, before, happen):
    """Something happens right before or after a call."""
    made, calls = scene.caller.make, []

    def make(call):
        calls.append(call)
        if before and len(calls) == number:
            happen()
        result = made(call)
        if not before and len(calls) == number:
            happen()
        return result

    scene.caller.make = make


@pytest.mark.parametrize("values", [{"tier": "silver"}, {"tier": None}], ids=str)
@pytest.mark.parametrize("before", [True, False], ids=["before the call", "after the call"])
def test_a_delivery_while_metronome_is_read_is_no_drift(scene, values, before):
    scene.write()
    interrupted(scene, 1, before=before, happen=lambda: scene.write("evt_2", values, NOW + SECOND))
    report = scene.inspect()
    assert (report.differences, report.moving) == ([], 1 if before else 0)


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("before", [True, False], ids=["before the call", "after the call"])
def test_a_delivery_while_contracts_are_read_is_no_drift(scene, number, before):
    scene.world.add_contract({"customer_id": ENTITY_ID, "id": PART_ID}, NOW)
    scene.write(entity="contract", entity_id=PART_ID)

    def news():
        scene.pipeline.clock.advance(SECOND)
        scene.write("evt_2", {"tier": "silver"}, NOW + SECOND, entity="contract", entity_id=PART_ID)

    interrupted(scene, number, before=before, happen=news)
    assert scene.inspect(contracts=True).differences == []


def test_a_call_that_was_made_and_is_not_settled_yet_is_no_drift(scene):
    scene.write()
    scene.receive("evt_2", {"tier": "silver"}, NOW + SECOND)
    (claim,) = scene.pipeline.claim()
    scene.behind(tier="silver")
    assert (scene.inspect().differences, scene.inspect().moving) == ([], 1)
    assert scene.store.entities.settle(claim, Settlement(), scene.pipeline.clock())


# Repair.


@pytest.mark.parametrize(("ours", "theirs", "_expected"), BEHIND)
def test_what_differs_is_written_again_and_then_it_is_as_it_was_written(scene, ours, theirs, _expected):
    scene.write(values={**ours, "plan": "pro"})
    before = scene.held()
    scene.behind(**theirs)
    assert scene.repair() == 1
    assert scene.inspect().moving == 1, "it is under way"
    assert scene.pipeline.deliver() == 1
    assert scene.held() == before
    assert scene.inspect().is_clean
    assert not scene.store.entities.fields_of("customer", ENTITY_ID)["tier"].doubted
    assert scene.pipeline.deliver() == 0


def test_a_repair_touches_no_other_key(scene):
    scene.write(values={"tier": "gold", "plan": "pro"})
    scene.behind(tier="silver", note="by hand")
    scene.repair()
    scene.pipeline.deliver()
    assert scene.held() == {"tier": "gold", "plan": "pro", "note": "by hand"}
    assert scene.sandbox.called(SET)[-1]["custom_fields"] == {"tier": "gold"}


@pytest.mark.parametrize("value", ["newer", "gold", None])
def test_a_newer_event_that_comes_meanwhile_wins_in_one_call(scene, value):
    scene.write()
    scene.behind(tier="silver")
    scene.repair()
    calls = len(scene.world.calls)
    scene.write("evt_2", {"tier": value}, NOW + SECOND)
    assert scene.held().get("tier") == value
    assert len(scene.world.calls) == calls + 1


def test_a_newer_event_that_was_delivered_before_the_question_was_answered_wins(scene):
    scene.write()
    scene.behind(tier="silver")
    found = scene.inspect().repairable
    scene.write("evt_2", {"tier": "newer"}, NOW + SECOND)
    repair(scene.store, found, now=scene.pipeline.clock(), pace=0)
    while scene.pipeline.deliver():
        pass
    assert scene.held() == {"tier": "newer"}


def test_an_older_event_that_comes_meanwhile_changes_nothing(scene):
    scene.write()
    scene.behind(tier="silver")
    scene.repair()
    scene.write("evt_0", {"tier": "older"}, NOW - SECOND)
    assert scene.held() == {"tier": "gold"}


def test_a_worker_that_holds_the_entity_meanwhile_does_not_undo_the_repair(scene):
    scene.write(values={"tier": "gold", "plan": "pro"})
    scene.receive("evt_2", {"plan": "free"}, NOW + SECOND)
    (claim,) = scene.pipeline.claim()
    scene.behind(tier="silver")
    scene.repair()
    scene.pipeline.deliverer.deliver(claim)
    while scene.pipeline.deliver():
        pass
    assert scene.held() == {"tier": "gold", "plan": "free"}
    assert scene.inspect().is_clean


def test_a_repair_that_metronome_refuses_is_drift_again(scene):
    scene.write()
    scene.behind(tier="silver")
    scene.world.add_key("customer", "tier", unique=True)
    scene.behind(OTHER_ID, tier="gold")
    scene.repair()
    scene.pipeline.deliver()
    assert scene.pipeline.deliver() == 0
    assert scene.found() == [("tier", Kind.DIFFERS, "silver")]
    scene.behind(OTHER_ID, tier=None)
    scene.repair()
    scene.pipeline.deliver()
    assert scene.held() == {"tier": "gold"}


def drifted(scene, number):
    """Entities whose events happened one after the other, received in another order."""
    ids = [f"{one:08x}{ENTITY_ID[8:]}" for one in range(number)]
    scene.customer(*ids)
    for age in sorted(range(number), key=lambda one: (one * 7) % number):
        scene.write(f"evt_{age}", {"tier": "gold"}, NOW + age * SECOND, entity_id=ids[-age - 1])
        scene.behind(ids[-age - 1], tier="silver")
    return ids[::-1]


def test_the_oldest_is_repaired_first_and_not_all_at_once(scene):
    by_age = drifted(scene, 5)
    assert scene.repair(apart=SECOND) == 5
    calls = len(scene.world.calls)
    for _ in range(5):
        assert scene.pipeline.deliver() == 1
        scene.pipeline.clock.advance(SECOND)
    assert [call["entity_id"] for call in list(scene.world.calls)[calls:]] == by_age


def test_what_is_new_does_not_wait_behind_repairs(scene):
    by_age = drifted(scene, 5)
    scene.repair(apart=SECOND)
    scene.receive("evt_new", {"tier": "new"}, NOW + DAY, entity_id=by_age[-1])
    assert {claim.entity_id for claim in scene.pipeline.claim()} == {by_age[0], by_age[-1]}


def test_a_repair_puts_off_nothing_that_is_due_sooner(scene):
    scene.write(values={"tier": "gold", "plan": "pro"})
    scene.receive("evt_2", {"plan": "free"}, NOW + SECOND)
    scene.behind(tier="silver")
    found = scene.inspect().repairable
    repair(scene.store, found, now=scene.pipeline.clock() + DAY, pace=0)
    assert scene.pipeline.deliver() == 1
    assert scene.held() == {"tier": "gold", "plan": "free"}


@pytest.mark.parametrize(("rate", "apart"), [(0, SECOND // 10), (20, SECOND // 10), (0.5, 4 * SECOND)])
def test_repairs_leave_half_of_the_budget_to_what_is_new(rate, apart):
    assert pace(rate) == apart


def test_a_list_of_customers_without_an_end_is_an_error(scene, monkeypatch):
    monkeypatch.setattr(drift, "MAX_PAGES", 3)
    monkeypatch.setattr(reading, "customer_ids", lambda *_, **__: (Outcome(Verdict.ACCEPTED, 200), ([], "again")))
    with pytest.raises(BridgeError, match="has no end: 3 pages were read"):
        list(scene.inspector.customers())
