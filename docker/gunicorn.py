"""gunicorn's settings. Threads times workers is what one replica takes of the database's connections."""

import os

bind = "0.0.0.0:8000"
worker_class = "gthread"
workers = int(os.environ.get("WEB_WORKERS", "2"))
threads = int(os.environ.get("WEB_THREADS", "8"))
worker_tmp_dir = "/dev/shm"  # the root file system is read-only
timeout = 60
graceful_timeout = 30
keepalive = 75  # longer than the gateway keeps its connections, so that it is the gateway who closes them
max_requests = 20_000
max_requests_jitter = 2_000
limit_request_line = 8190
accesslog = None  # the gateway logs requests
errorlog = "-"
