"""A bridge for tests: settings, mappings and a store, built as the real one is."""

from pathlib import Path

from bridge import bootstrap, settings
from bridge.bootstrap import Bridge

STRIPE = """
sender: stripe
secrets: ["${STRIPE_WEBHOOK_SECRET}"]
rules:
  - name: customer
    events: [customer.*]
    entity: customer
    id: data.object.metadata.metronome_id
    fields:
      tier: data.object.metadata.tier
      name: data.object.name
      coupon: data.object.coupon
"""
SECRETS = {"STRIPE_WEBHOOK_SECRET": "whsec_test"}


def build(folder: Path, database_url: str, mappings: dict[str, str] | None = None, **environ: str) -> Bridge:
    """A bridge with the given mapping files, by their names."""
    place = folder / "mappings"
    place.mkdir(exist_ok=True)
    for name, text in (mappings or {"stripe": STRIPE}).items():
        (place / f"{name}.yaml").write_text(text)
    given = {"DATABASE_URL": database_url, "BRIDGE_MAPPINGS": str(place), **SECRETS, **environ}
    return bootstrap.build(settings.load(given), given)
