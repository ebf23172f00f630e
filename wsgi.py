"""For any WSGI server: `gunicorn wsgi:app`."""

from bridge.web.app import create_app

app = create_app()
