"""How gunicorn serves Kyara: one process (one model), a loop that reads and writes, and threads.

`kyara serve`, and with it `make run`, starts gunicorn with this file. The master process stays small:
the application and its settings, which `kyara serve` checks first, are loaded in the worker alone.
"""

import os
import sys

from kyara.web.serving.ports import explain_port

_DEBUGGING = ("FLASK_DEBUG", "KYARA_DEBUG", "KYARA_TESTING", "KYARA_PROPAGATE_EXCEPTIONS")
for _name in _DEBUGGING:
    if os.environ.get(_name, "").lower() not in ("", "0", "false", "no", "off"):
        sys.exit(f"{_name} is set: that is for development. Unset it, or use `flask --debug run`.")


def _read_number(name: str, default: int, least: int, most: int) -> int:
    text = os.environ.get(name) or str(default)
    if not text.isdecimal() or len(text) > len(str(most)) or not least <= int(text) <= most:
        sys.exit(f"{name} is a whole number from {least} to {most}; received {text[:60]!r}.")
    return int(text)


_port = _read_number("PORT", 5000, 0, 65535)
if _problem := explain_port(_port):
    sys.exit(_problem)
bind = f"{os.environ.get('HOST') or '127.0.0.1'}:{_port}"
workers = 1
worker_class = "kyara.web.serving.worker.BufferingWorker"
threads = _read_number("THREADS", 72, 1, 1000)
timeout = 60
graceful_timeout = 20
wsgi_app = "kyara.web.app:create_app()"
control_socket_disable = True  # nothing here talks to it, and it would be written into the home folder
if os.environ.get("KYARA_LOG_FORMAT") == "json":
    logconfig_dict = {
        "formatters": {"generic": {"()": "kyara.web.ops.logs.JsonFormatter"}},
        "root": {"level": "INFO", "handlers": []},
    }
