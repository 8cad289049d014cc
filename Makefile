# Everything that a newcomer types. `make help` lists it.
#
# PostgreSQL and Valkey come with the development packages; where DATABASE_URL and REDIS_URL are set, those are used.

PYTHON ?= python3
PORT ?= 8000
WORKERS ?= auto
# Not from the environment, where some shells keep something else under these names.
HOST := 127.0.0.1
ARGS :=
UPGRADE :=

VENV := .venv
KUBERNETES := var/kubernetes-validate
STAMP := $(VENV)/.installed
TWIN := var/bench-booking/venv
BROWSER := var/browser-proof/venv
# GPL, and not a package of ours: an environment of its own, out of which it is only ever run.
LOCALSTRIPE := .venv-localstripe
LOCALSTRIPE_VERSION := 1.15.10
PY := $(VENV)/bin/python
KEPT := $(PY) -m flightbook.embedded --
EPHEMERAL := $(PY) -m flightbook.embedded --ephemeral --
SETTINGS := $(PY) -m flightbook.embedded --no-servers --
LOCK := $(VENV)/bin/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes -q \
	--custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)

.PHONY: show-disruption help run demo manage test states check lock reset clean gateway-test compose-proof race race-short kubernetes-check bench-booking updates-proof messages-proof bench-updates updates-abuse stripe-test browser-proof
.DEFAULT_GOAL := help

help: ## list what can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 16

run: $(STAMP) ## run the whole system on http://127.0.0.1:8000 (PORT=, HOST=)
	@exec $(KEPT) $(PY) -m flightbook.firstrun --host $(HOST) --port $(PORT)

demo: $(STAMP) ## play the real delays of a day into a running `make run` (ARGS="--date 2026-12-01 --speed 600")
	@exec $(KEPT) $(PY) manage.py replay_delays $(ARGS)

manage: $(STAMP) ## run a command of manage.py on the data of `make run`, beside it if it is up (ARGS=)
	@exec $(KEPT) $(PY) manage.py $(ARGS)

test: $(STAMP) ## run the tests, in parallel (WORKERS=0 for one process, ARGS= for pytest)
	@export PYTEST_PLUGINS=flightbook.tests.parallel; \
	exec $(EPHEMERAL) $(PY) -m pytest -n $(WORKERS) --maxprocesses 8 --dist worksteal $(ARGS)

states: $(STAMP) ## draw docs/states.md from the tables of states
	@$(SETTINGS) $(PY) manage.py statemachine > docs/states.md.new && mv docs/states.md.new docs/states.md

check: $(STAMP) ## lint, types, import contracts, migration drift, then the tests
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(SETTINGS) $(PY) -m mypy --cache-dir=/dev/null . # the Django plugin crashes on a cache of older models
	$(SETTINGS) $(VENV)/bin/lint-imports
	$(EPHEMERAL) $(PY) manage.py makemigrations --check --dry-run
	$(SETTINGS) $(PY) manage.py lint_migrations
	@$(MAKE) --no-print-directory test

gateway-test: ## test the gateway's JavaScript (wants node)
	node --test docker/nginx/tests/

compose-proof: $(STAMP) ## bring the composed system up, use it, take it apart (wants docker; ARGS="--keep")
	docker compose --env-file .env.example build
	@exec $(PY) -m bench.compose_proof $(ARGS)

show-disruption: $(STAMP) ## cancel a flight with 100 bookings while people book it (DATABASE_URL: an empty database, REDIS_URL)
	@exec $(PY) -m bench.disruption $(ARGS)

race: $(STAMP) ## race the sale, kill it, count what is left; up to an hour (ARGS="--without claim")
	@exec $(PY) -m bench.race $(ARGS)

race-short: $(STAMP) ## the same in a minute
	@exec $(PY) -m bench.race --short $(ARGS)

bench-booking: $(STAMP) $(TWIN)/.installed ## measure bookings against pgbench and a FastAPI twin; writes docs/benchmarks/ (ARGS="--short")
	@exec $(PY) -m bench.booking $(ARGS)

$(TWIN)/.installed: requirements-bench.txt
	@rm -rf $(TWIN)
	@$(PY) -m venv $(TWIN)
	@$(TWIN)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.txt
	@touch $@

updates-proof: $(STAMP) ## prove that no update is lost: followers, faults, and the log compared (ARGS="--short")
	@exec $(PY) -m bench.updates $(ARGS)

messages-proof: $(STAMP) ## prove that dropped telegrams and webhooks survive kill -9 (ARGS="--flights 100 --updates 600")
	@exec $(EPHEMERAL) $(PY) -m bench.messages $(ARGS)

browser-proof: $(STAMP) $(BROWSER)/.installed ## look at the board and the admin in a real browser (wants Chromium; ARGS="--images docs/images")
	@exec $(BROWSER)/bin/python -m bench.browser_proof --product $(PY) $(ARGS)

$(BROWSER)/.installed: requirements-browser.txt
	@rm -rf $(BROWSER)
	@$(PY) -m venv $(BROWSER)
	@$(BROWSER)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-browser.txt
	@touch $@

bench-updates: $(STAMP) ## measure the fan-out of updates against a raw broadcast; writes docs/benchmarks/
	@exec $(PY) -m bench.updates.fanout $(ARGS)

updates-abuse: $(STAMP) ## measure what abusive WebSocket clients do to the others
	@exec $(PY) -m bench.updates.abuse $(ARGS)

stripe-test: $(STAMP) $(LOCALSTRIPE)/bin/localstripe ## try the Stripe adapter on localstripe, a stand-in for Stripe
	@exec $(EPHEMERAL) $(PY) -m pytest bookings/tests/test_localstripe.py bookings/tests/test_stripe.py $(ARGS)

$(LOCALSTRIPE)/bin/localstripe:
	@$(PYTHON) -m venv $(LOCALSTRIPE)
	@$(LOCALSTRIPE)/bin/pip install --quiet --disable-pip-version-check localstripe==$(LOCALSTRIPE_VERSION)

kubernetes-check: ## hold the Kubernetes files against the API's schemas (wants kubectl)
	@test -x $(KUBERNETES)/bin/kubernetes-validate || { $(PYTHON) -m venv $(KUBERNETES) && \
	$(KUBERNETES)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r docker/kubernetes/requirements.txt; }
	kubectl kustomize docker/kubernetes/example >var/kubernetes.yaml
	$(KUBERNETES)/bin/kubernetes-validate --strict --kubernetes-version 1.34 var/kubernetes.yaml

lock: $(STAMP) ## renew all requirements files from pyproject.toml (UPGRADE=1 for the newest versions)
	$(LOCK) -o requirements.txt
	$(LOCK) --group dev -c requirements.txt -o requirements-dev.txt
	$(VENV)/bin/uv pip compile --group bench --universal --python-version 3.11 --generate-hashes -q \
	--custom-compile-command "make lock" $(if $(UPGRADE),--upgrade) -o requirements-bench.txt
	$(VENV)/bin/uv pip compile --group browser --universal --python-version 3.11 --generate-hashes -q \
	--custom-compile-command "make lock" $(if $(UPGRADE),--upgrade) -c requirements-dev.txt -o requirements-browser.txt
	$(VENV)/bin/uv pip compile docker/kubernetes/requirements.in --universal --python-version 3.11 --generate-hashes -q \
	--custom-compile-command "make lock" -o docker/kubernetes/requirements.txt

reset: $(STAMP) ## remove the data of `make run`: the next one begins anew
	@exec $(PY) -m flightbook.embedded --reset

clean: ## remove what was installed and cached; the data stay (see `make reset`)
	rm -rf $(VENV) .ruff_cache .pytest_cache .hypothesis .import_linter_cache staticfiles
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is written last, so that an interrupted installation is done again.
$(STAMP): requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	echo "flightbook: Python 3.11 or newer is needed, and $(PYTHON) is $$($(PYTHON) --version 2>&1 | tail -n 1)." \
	"Name another: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	echo "flightbook: $(PYTHON) lacks venv or ensurepip: install them first (Debian, Ubuntu: apt install python3-venv)." >&2; \
	exit 1; }
	@echo "flightbook: installing the packages into $(VENV); once, it takes a minute or two." >&2
	@rm -f $@
	@$(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@
