# Plain make: the one of macOS (3.81) and BSD make read it too.
# make serve PORT=9000 MODEL=... hands both to the server as environment variables.

PYTHON ?=
VENV = .venv
RUN = $(VENV)/bin
# A module's tests share their server, so they stay together; those that take longest
# begin first (tests/longest_first.py).
CORES = -n auto --dist loadscope --no-loadscope-reorder
# Tests start hundreds of processes. Where the environment has Python keep nothing that it
# compiles, each of them would compile all that it imports: two thirds of a server's start.
PYTEST = env -u PYTHONDONTWRITEBYTECODE $(RUN)/python -m pytest
# Where tests ask the database of the settings something.
ON_DATABASES = tests/metrics tests/response_store tests/test_*.py tests/e2e/test_record.py

.PHONY: help serve quick test endurance clients fuzz check check-types check-others bench families clean

help:
	@echo "make serve   install what is missing, then start the server"
	@echo "make test    run the tests"
	@echo "make quick   run those that start no server: while you work"
	@echo "make endurance  run those that repeat what a test shows once: some minutes more"
	@echo "make clients  run real clients (Claude Code, SDKs, harnesses) against the server"
	@echo "make fuzz    make up requests from the OpenAPI document for some minutes"
	@echo "make check   format, lint, types, layers, Django's own checks"
	@echo "make bench   measure a running server"
	@echo "make families  what each family's chat template keeps of a conversation"
	@echo "make clean   remove the environment and what the tools left behind"
	@echo
	@echo "options: PYTHON HOST PORT MODEL DATABASE_URL MLX_DATA_DIR"
	@echo "example: make serve PORT=9000 MODEL=~/models/Qwen3-4B-4bit"

# exec: the server itself gets Ctrl-C and SIGTERM, not a shell around it.
serve: $(VENV)/.installed
	@exec $(RUN)/python manage.py runserver_mlx

quick: $(VENV)/.installed-dev
	$(PYTEST) $(CORES) -m "not (slow or long or endurance or clients or fuzz)" --ignore=tests/e2e

test: $(VENV)/.installed-dev
	$(PYTEST) $(CORES)
	@$(RUN)/python -m tests.has_postgres || exit 0; \
	  echo "The record's tests once more, on PostgreSQL"; \
	  TEST_DATABASE=postgres exec $(PYTEST) $(CORES) -m "not (slow or endurance)" $(ON_DATABASES)

# On one core: what they measure is not to wait for each other.
endurance: $(VENV)/.installed-dev
	$(PYTEST) -m endurance

# Each is installed first, in an environment of its own under the cache: Node with npm
# for some of them, and a network for the installation.
clients: $(VENV)/.installed-dev
	$(PYTEST) -m clients tests/clients

fuzz: $(VENV)/.installed-dev
	$(PYTEST) -m fuzz tests/e2e/test_made_up_requests.py

# A data folder of its own: checks leave the user's alone.
# Types take longest and one core: with -j2 the others are done beside them.
check: check-types check-others

check-types: $(VENV)/.installed-dev
	MLX_DATA_DIR=.cache/check $(RUN)/mypy .

check-others: $(VENV)/.installed-dev
	$(RUN)/ruff format --check .
	$(RUN)/ruff check .
	$(RUN)/lint-imports
	MLX_DATA_DIR=.cache/check $(RUN)/python manage.py check
	MLX_DATA_DIR=.cache/check $(RUN)/python manage.py makemigrations --check --dry-run

bench: $(VENV)/.installed
	@exec $(RUN)/python manage.py bench_engine $(BENCH)

# FAMILIES="--why" says why, FAMILIES="--write" keeps the table in docs/families.md.
families: $(VENV)/.installed-dev
	@exec $(RUN)/python -m tests.families.sweep $(FAMILIES)

clean:
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	rm -rf build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One line: what is installed, and how long that took. What pip says of its own
# configuration stays in its log, unless it fails. It keeps what it has downloaded,
# so that another make goes on from there.
INSTALL = install() { \
  printf '%s ... ' "$$1"; shift; log=$(VENV)/install.log; began=$$(date +%s); \
  $(RUN)/python -m pip --version >/dev/null 2>&1 || $(RUN)/python -m ensurepip >/dev/null 2>&1; \
  if $(RUN)/python -m pip install --disable-pip-version-check --no-input --progress-bar off "$$@" >$$log 2>&1; \
  then echo "$$(( $$(date +%s) - began )) s"; return; fi; \
  echo failed; tail -n 20 $$log >&2; \
  last=$$(sed -n -e 's/^ *Collecting \([^ ]*\).*/\1/p' -e 's/^ *Downloading \([^ ]*\).*/\1/p' $$log | tail -n 1); \
  echo "error: pip failed at $${last:-the beginning} (all it said: $$log); make again goes on from there" >&2; \
  exit 2; }; install

# The second time, both of these are a comparison of dates.
$(VENV)/.installed: $(RUN)/python requirements.txt pyproject.toml setup.py
	@$(INSTALL) "Packages: 300 MB to download, 1.3 GB installed (once, some minutes)" -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.txt
	@$(INSTALL) "Packages for developers" -r requirements-dev.txt
	@touch $@

$(RUN)/python:
	@found=; tried="$(PYTHON)"; \
	for python in $${tried:-python3.13 python3.12 python3.11 python3}; do \
	  $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	    && { found=$$python; break; }; \
	done; \
	[ -n "$$found" ] || { \
	  echo "error: Python 3.11 or newer was not found$${tried:+ as $$tried}: install it, or name it: make PYTHON=/path/to/python3.12" >&2; \
	  exit 2; }; \
	$$found -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "error: $$found has no venv module: install it (Debian, Ubuntu: apt-get install python3-venv)" >&2; \
	  exit 2; }; \
	began=$$(date +%s); \
	printf '%s ... ' "Environment: $(VENV) with $$($$found --version)"; \
	$$found -m venv $(VENV) || { rm -rf $(VENV); exit 2; }; \
	echo "$$(( $$(date +%s) - began )) s"
