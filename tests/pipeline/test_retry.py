from itertools import pairwise

import pytest

from bridge.model import Outcome, Verdict
from bridge.pipeline.retry import ENTITY, UNKNOWN, Decision, Next, decide
from bridge.times import HOUR, MINUTE, SECOND
from tests.support.making import NOW


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Outcome(Verdict.ACCEPTED, 200), Decision(Next.DONE)),
        (
            Outcome(Verdict.UNKNOWN, 404, "no such customer"),
            Decision(Next.PARK, NOW + 2_500_000, "Metronome answered 404: no such customer"),
        ),
        (
            Outcome(Verdict.REFUSED, 400, "no such key"),
            Decision(Next.GIVE_UP, 0, "Metronome answered 400: no such key"),
        ),
        (
            Outcome(Verdict.UNAVAILABLE, None, "no answer: ReadTimeout"),
            Decision(Next.RETRY, NOW + SECOND, "no answer: ReadTimeout"),
        ),
        (
            Outcome(Verdict.UNAVAILABLE, 503, "", 3 * SECOND),
            Decision(Next.RETRY, NOW + 3 * SECOND, "Metronome answered 503"),
        ),
    ],
)
def test_each_outcome_has_its_decision(outcome, expected):
    assert decide(outcome, 0, NOW, 1.0) == expected


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_is_decided(verdict):
    assert decide(Outcome(verdict), 3, NOW, 0.5).next in Next


@pytest.mark.parametrize(("backoff", "longest"), [(ENTITY, MINUTE), (UNKNOWN, HOUR)])
def test_waits_double_up_to_the_longest(backoff, longest):
    waits = [backoff.wait(tries, 1.0) for tries in range(60)]
    assert waits[0] == backoff.first
    assert all(later in (2 * earlier, longest) for earlier, later in pairwise(waits))
    assert waits[-1] == longest


def test_jitter_spreads_a_crowd_over_the_whole_wait():
    assert [ENTITY.wait(3, jitter) for jitter in (0.0, 0.25, 1.0)] == [0, 2 * SECOND, 8 * SECOND]
