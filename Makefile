# Everything a fresh machine needs: "make demo" and "make test" make the environment themselves, say what they do,
# and go on where an interruption stopped them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo gui test lint install

# Where bytecode is forbidden, each of the hundreds of programs that tests and projects start would compile torch and Scipion anew
unexport PYTHONDONTWRITEBYTECODE

VENV ?= .venv
DEMO ?= demo_output
PROJECT ?= demo
WORKERS ?= 2
# Scipion imports tkinter even without a window, so the first Python 3.11 that has it is taken
PYTHON ?= $(shell for python in python3.11 python3; do \
	$$python -c 'import sys, tkinter; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null && echo $$python && break; done)
INSTALLED := $(VENV)/.installed
RUN := OMP_NUM_THREADS=$(or $(OMP_NUM_THREADS),$(WORKERS)) $(VENV)/bin/python

help:
	@echo "make demo                 install, a real and a simulated tomogram segmented and scored, write $(DEMO)/report.html"
	@echo "make demo TOMOGRAM=file   the same on your own tomogram (without scores); Z=40:72 and VOXEL_SIZE=13.48 when needed"
	@echo "make gui                  open the demo's Scipion project in a window; PROJECT=name another one, made when it is new"
	@echo "make test                 install, check the source, run all tests"
	@echo "make lint                 check the source only"
	@echo "make install              make the environment $(VENV) only"

demo: install
	@echo "== demo: results go to $(DEMO)"
	@$(RUN) -m cryoetseg.demo --out "$(DEMO)" $(if $(TOMOGRAM),--tomogram "$(TOMOGRAM)") $(if $(Z),--z $(Z)) $(if $(VOXEL_SIZE),--voxel-size $(VOXEL_SIZE))

gui: install
	@echo "== opening project $(PROJECT) in Scipion's window"
	@$(RUN) -m cryoetseg.demo --out "$(DEMO)" --gui --project "$(PROJECT)"

# The source is checked beside the tests: mypy has one process only
test: install
	@$(MAKE) --no-print-directory lint & lint=$$!; \
	echo "== tests on $(WORKERS) processes"; failed=0; \
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -n $(WORKERS) --dist loadfile || failed=1; \
	wait $$lint || { echo "== the source check failed, see above"; failed=1; }; exit $$failed

lint: install
	@echo "== ruff and mypy"
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/mypy

install: $(INSTALLED)

# The stamp is written last: an interrupted installation goes on at the next call. Python compiles what it imports by itself;
# compiling all of the 17 000 installed files would take minutes more
$(INSTALLED): setup.py constraints.txt
	@if [ -z "$(PYTHON)" ]; then $(WHY_NOT); exit 1; fi
	@echo "== installing into $(VENV) with $(PYTHON); some minutes, once"
	@if $(PYTHON) -c 'import ensurepip' 2>/dev/null; then $(PYTHON) -m venv "$(VENV)"; \
		elif $(PYTHON) -c 'import pip' 2>/dev/null; then $(PYTHON) -m venv --without-pip "$(VENV)"; \
		else echo "error: neither pip nor ensurepip is here. What to do: sudo apt-get install python3-venv" >&2; exit 1; fi
	@if [ -x "$(VENV)/bin/pip" ]; then pip="$(VENV)/bin/python -m pip"; else pip="$(PYTHON) -m pip --python $(VENV)/bin/python"; fi; \
		$$pip install --no-compile --quiet --disable-pip-version-check -c constraints.txt -e ".[all,dev]"
	@touch $@

define WHY_NOT
if ! command -v python3 >/dev/null; then echo "error: python3 is missing. What to do: sudo apt-get install python3 python3-pip python3-tk"; \
elif ! python3.11 -c '' 2>/dev/null && ! python3 -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'; then \
	echo "error: found $$(python3 --version), but constraints.txt fits Python 3.11 only. What to do: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11"; \
else echo "error: tkinter is missing, which Scipion needs. What to do: sudo apt-get install python3-tk"; fi >&2
endef
