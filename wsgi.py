"""For any WSGI server: `gunicorn wsgi:app`."""

from bridge.web.app import running_app

app = running_app()
