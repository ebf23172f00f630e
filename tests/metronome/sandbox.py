"""The sandbox without a network, and a clock that a test sets."""

from dataclasses import dataclass
from functools import cache

from bridge.metronome.sandbox import create_sandbox
from bridge.metronome.world import World
from tests.metronome.conftest import NOW

ONE = "00000000-0000-4000-8000-00000000000a"
TWO = "00000000-0000-4000-8000-00000000000b"
NOBODY = "00000000-0000-4000-8000-00000000000c"


@dataclass
class Clock:
    now: int = NOW

    def __call__(self):
        return self.now


@cache
def built(token):
    """Routes take long to build, and stay the same."""
    world, clock = World(), Clock()
    app = create_sandbox(world, clock=clock, token=token)
    app.testing = True
    return app, world, clock


class Sandbox:
    """A fresh one. `post` and `get` give (status, body)."""

    def __init__(self, token=None):
        app, self.world, self.clock = built(token)
        self.clock.now = NOW
        vars(self.world).update(vars(World()))
        self.client = app.test_client()

    def call(self, method, path, *, authorization="Bearer any", **given):
        headers = {} if authorization is None else {"Authorization": authorization}
        response = self.client.open(path, method=method, headers=headers, **given)
        assert response.content_type == "application/json"
        return response

    def post(self, path, body, **given):
        response = self.call("POST", path, json=body, **given)
        return response.status_code, response.json

    def get(self, path, **given):
        response = self.call("GET", path, **given)
        return response.status_code, response.json

    def arrange(self, **scene):
        status, shown = self.post("/sandbox", scene)
        assert status == 200, shown
        return shown

    def set(self, values, entity="customer", entity_id=ONE):
        body = {"entity": entity, "entity_id": entity_id, "custom_fields": values}
        return self.post("/v1/customFields/setValues", body)[0]

    def delete(self, keys, entity="customer", entity_id=ONE):
        body = {"entity": entity, "entity_id": entity_id, "keys": keys}
        return self.post("/v1/customFields/deleteValues", body)[0]

    def add_key(self, key, entity="customer", *, unique=False):
        body = {"entity": entity, "key": key, "enforce_uniqueness": unique}
        return self.post("/v1/customFields/addKey", body)[0]

    def remove_key(self, key, entity="customer"):
        return self.post("/v1/customFields/removeKey", {"entity": entity, "key": key})[0]

    def held(self, entity="customer", entity_id=ONE):
        """The values that GET /sandbox shows for an entity."""
        for row in self.get("/sandbox")[1]["values"]:
            if (row["entity"], row["entity_id"]) == (entity, entity_id):
                return row["custom_fields"]
        return {}
