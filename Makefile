# make install get ready for the other commands, once: .venv with requirements.txt (versions in constraints.txt)
# make repro   build everything from params.yaml: data, networks, tables
# make test    check the style with ruff, then run the tests
# make lint    check the style alone
# The others first do what `make install` does, if it was not done yet.

PYTHON ?= $(shell for p in python3.11 python3 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

# so that `python` in a stage's command is the right one
IN_VENV = PATH="$(CURDIR)/.venv/bin:$$PATH" DVC_NO_ANALYTICS=1

.PHONY: install repro test lint
install: .venv/installed

repro: .venv/installed
	$(IN_VENV) python -m pipeline repro

# Each of the two processes of the tests has one core. Python keeps what it compiled, even on a machine that forbids it by
# PYTHONDONTWRITEBYTECODE: it then reads the tests in half the time.
test: .venv/installed lint
	$(IN_VENV) PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder

lint: .venv/installed
	$(IN_VENV) ruff check pipeline tests bench

.venv/installed: requirements.txt constraints.txt
	$(if $(PYTHON),,$(error no Python 3.11 or newer found; name one: make PYTHON=/path/to/python3.11))
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.txt -c constraints.txt
	touch $@
