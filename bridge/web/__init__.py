"""The HTTP face: webhooks in, health out."""
