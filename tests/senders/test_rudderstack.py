"""RudderStack: a token in a header, in front of the events that Segment sends too.

https://www.rudderstack.com/docs/event-spec/standard-events/
"""

from dataclasses import replace

import pytest
from marshmallow import ValidationError

from bridge.errors import NotVerifiedError
from bridge.senders import SENDERS
from tests.senders.fixtures import one, with_header

RUDDERSTACK = SENDERS["rudderstack"]


def test_the_token_stands_where_the_destination_was_told_to_put_it():
    fixture = one("rudderstack", "header_of_its_own")
    with pytest.raises(NotVerifiedError, match="Authorization"):
        RUDDERSTACK.bound({}).unwrap(fixture.request, fixture.secrets, 0)
    in_the_url = replace(fixture.request, target="/webhooks/rudderstack?token=a-token-of-ours-4711")
    with pytest.raises(NotVerifiedError):
        fixture.unwrap(request=with_header(in_the_url, "X-Bridge-Token", None))
    assert RUDDERSTACK.bound({"parameter": "token"}).unwrap(in_the_url, fixture.secrets, 0)


@pytest.mark.parametrize("options", [{"header": "X", "parameter": "y"}, {"event_id": "id"}])
def test_an_option_that_cannot_be_is_refused(options):
    with pytest.raises(ValidationError):
        RUDDERSTACK.options().load(options)


def test_a_batch_is_not_read_before_the_token_is_checked():
    request = replace(one("rudderstack", "batch").request, body=b"[no JSON")
    with pytest.raises(NotVerifiedError):
        RUDDERSTACK.bound({}).unwrap(request, ["another"], 0)
