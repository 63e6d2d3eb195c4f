"""How gunicorn serves Kyara: one process (one model), several threads."""

import os

bind = f"{os.environ.get('HOST', '127.0.0.1')}:{os.environ.get('PORT', '5000')}"
workers = 1
worker_class = "gthread"
threads = int(os.environ.get("THREADS", "8"))
timeout = 60
graceful_timeout = 20
wsgi_app = "app:create_app()"
control_socket_disable = True  # nothing here talks to it, and it would be written into the home folder
