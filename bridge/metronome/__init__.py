"""Whom we call: the only place that knows requests."""
