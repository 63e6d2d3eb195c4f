"""What the process that serves tells the application: light, because gunicorn's master loads it too."""

from __future__ import annotations

import threading

ARRIVED = "kyara.arrived"
"""In the WSGI environment: when the whole request was here (`time.monotonic()`), if the server tells."""

REQUEST_ID_HEADER = "X-Request-ID"
FIELDS = "kyara_fields"
"""Attribute of a log record that holds more members of its JSON object."""

stopping = threading.Event()
"""Set on SIGTERM: what was accepted is answered, and the process is ready for nothing new."""
