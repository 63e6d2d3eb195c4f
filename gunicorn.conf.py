"""How gunicorn serves Kyara: one process (one model), a loop that reads and writes, and threads."""

import os
import sys

_DEBUGGING = ("FLASK_DEBUG", "KYARA_DEBUG", "KYARA_TESTING", "KYARA_PROPAGATE_EXCEPTIONS")
for _name in _DEBUGGING:
    if os.environ.get(_name, "").lower() not in ("", "0", "false", "no", "off"):
        sys.exit(f"{_name} is set: that is for development. Unset it, or use `flask --debug run`.")

bind = f"{os.environ.get('HOST', '127.0.0.1')}:{os.environ.get('PORT', '5000')}"
workers = 1
worker_class = "kyara.web.serving.worker.BufferingWorker"
threads = int(os.environ.get("THREADS", "72"))
timeout = 60
graceful_timeout = 20
wsgi_app = "app:create_app()"
control_socket_disable = True  # nothing here talks to it, and it would be written into the home folder
if os.environ.get("KYARA_LOG_FORMAT") == "json":
    logconfig_dict = {
        "formatters": {"generic": {"()": "kyara.web.ops.logs.JsonFormatter"}},
        "root": {"level": "INFO", "handlers": []},
    }
