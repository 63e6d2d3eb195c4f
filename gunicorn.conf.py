"""How gunicorn serves Kyara: one process (one model), a loop that reads and writes, and threads."""

import os

bind = f"{os.environ.get('HOST', '127.0.0.1')}:{os.environ.get('PORT', '5000')}"
workers = 1
worker_class = "kyara.web.worker.BufferingWorker"
threads = int(os.environ.get("THREADS", "48"))
timeout = 60
graceful_timeout = 20
wsgi_app = "app:create_app()"
control_socket_disable = True  # nothing here talks to it, and it would be written into the home folder
if os.environ.get("KYARA_LOG_FORMAT") == "json":
    logconfig_dict = {
        "formatters": {"generic": {"()": "kyara.web.logs.JsonFormatter"}},
        "root": {"level": "INFO", "handlers": []},
    }
