"""Webhooks in, Metronome custom fields out."""

__version__ = "0.1.0"
