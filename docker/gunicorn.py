"""gunicorn's settings. Threads times workers is what one replica takes of the database's connections."""

import os

bind = "0.0.0.0:8000"
worker_class = "gthread"
# Loaded before the port opens: a replica that accepts can answer, and its workers share the memory.
preload_app = True
control_socket_disable = True
workers = int(os.environ.get("WEB_WORKERS", "2"))
threads = int(os.environ.get("WEB_THREADS", "8"))
worker_tmp_dir = "/dev/shm"  # noqa: S108 - the root file system is read-only
timeout = 60
graceful_timeout = 30
keepalive = 75  # longer than the gateway keeps its connections, so that it is the gateway who closes them
max_requests = 20_000
max_requests_jitter = 2_000
limit_request_line = 8190
accesslog = None  # the gateway logs requests
errorlog = "-"
