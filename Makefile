# You need Python 3.11 or newer with venv and pip, and no compiler. Each target installs what it needs into .venv.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
.DEFAULT_GOAL := help

help:
	@echo "make demo             train on the King James Bible and write a report: about two minutes"
	@echo "make reproduce        train the network of DD2424 assignment 4 on the whole book: 660,000 updates"
	@echo "make test             run the tests"
	@echo "make coverage         run most tests and fail if they run less of src than the floor in pyproject.toml"
	@echo "make fuzz             read damaged files with every loader, FUZZ_SECONDS each (default 20)"
	@echo "make test-browser     test the live page and the report in Chromium (needs chromium and chromium-driver)"
	@echo "make test-durability  kill a thousand trainings and check that each one resumes without a loss"
	@echo "make mutants          change signs, indices and bounds and check that a test fails, MUTANT_SECONDS in all (default 3600)"
	@echo "make lint             run ruff, mypy and codespell"
	@echo "make docs             build the documentation in docs/_build/html and run its examples"
	@echo "make release-check    build the wheel and test it in fresh environments, with each Python on the PATH (or PYTHONS) and each extra"
	@echo "make online-check     check the links of the documentation and known vulnerabilities of dependencies (needs the internet)"
	@echo "make numbers          write docs/numbers-table.md: the loss of each preset on the books (or TEXTS), about half an hour"
	@echo "make bench            measure the speed next to NumPy, PyTorch and JAX, if they are installed"
	@echo "make speed            write docs/speed-tables.md and the ratios in README.md: the speed on an idle machine with PyTorch and JAX"

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "recurra needs Python 3.11 or newer")'
	$(PYTHON) -m venv .venv

.venv/installed: $(BIN)/python pyproject.toml
	$(INSTALL) -e '.[books]'
	touch $@

# `--group` came with pip 25.1; the pip that a new environment has may be older.
.venv/pip-with-groups: $(BIN)/python
	$(INSTALL) 'pip>=25.1'
	touch $@

.venv/installed-dev: .venv/pip-with-groups pyproject.toml
	$(INSTALL) -e '.[all]' --group dev
	touch $@ .venv/installed

demo: .venv/installed
	$(BIN)/recurra train kjv --preset classic --updates 350000 --validation 0.05 --run runs/demo --force

reproduce: .venv/installed
	$(BIN)/recurra train kjv --preset classic --updates 660000 --run runs/reproduce --force

mission: reproduce  # the earlier name

test: .venv/installed-dev
	env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -n auto --dist worksteal --durations=10

# On Python 3.11 the C tracer costs up to three quarters more CPU time; later ones have sys.monitoring, which costs less.
# The tests that run src in their own process; tracing makes the others (commands, kernels, several processes) slow.
COVERAGE_TESTS := $(addprefix tests/,api compression config inference interop io network report runs serving system text \
  training web) $(wildcard tests/test_*.py)

coverage: .venv/installed-dev
	$(BIN)/coverage erase
	COVERAGE_CORE=$$($(BIN)/python -c 'import sys; print("sysmon" if sys.version_info >= (3, 12) else "ctrace")') \
	  $(BIN)/coverage run -m pytest -n auto --dist loadfile $(COVERAGE_TESTS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

fuzz: .venv/installed-dev
	FUZZ_SECONDS=$${FUZZ_SECONDS:-20} $(BIN)/python -m pytest tests/fuzz

test-browser: .venv/installed-dev
	$(BIN)/python -m pytest -m browser

test-durability: .venv/installed-dev
	$(BIN)/python -m pytest -m durability -rA tests/runs

mutants: .venv/installed-dev
	$(BIN)/python tests/mutation/mutants.py --seconds $${MUTANT_SECONDS:-3600}

lint: .venv/installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/codespell src tests benchmarks docs release .github *.md CITATION.cff Makefile pyproject.toml
	$(BIN)/mypy

.venv/installed-docs: .venv/pip-with-groups pyproject.toml
	$(INSTALL) -e '.[books]' --group docs
	touch $@

docs: .venv/installed-docs .venv/installed-dev
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --builder html docs docs/_build/html
	$(BIN)/sphinx-build --quiet --fail-on-warning --builder doctest docs docs/_build/doctest
	$(BIN)/python -m pytest -m pages tests/docs

.venv/installed-release: .venv/pip-with-groups pyproject.toml
	$(INSTALL) -e . --group release
	touch $@

release-check: .venv/installed-release
	$(BIN)/python release/check.py $(if $(PYTHONS),--pythons $(PYTHONS))

online-check: .venv/installed-docs .venv/installed-release
	$(BIN)/sphinx-build --quiet --builder linkcheck docs docs/_build/linkcheck
	mkdir -p dist
	$(BIN)/pip freeze --exclude-editable > dist/installed.txt
	$(BIN)/pip-audit --strict --disable-pip --no-deps -r dist/installed.txt

numbers: .venv/installed-dev
	$(BIN)/python benchmarks/preset_numbers.py $(TEXTS) --presets classic small medium -o docs/numbers-table.md

bench: .venv/installed-dev
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/products_speed.py
	$(BIN)/python benchmarks/kernel_profile.py
	$(BIN)/python benchmarks/checkpoint_cost.py
	$(BIN)/python benchmarks/compression.py
	$(BIN)/python benchmarks/serving_load.py

speed: .venv/installed-dev
	$(BIN)/python benchmarks/speed.py --rounds 5 --seconds 2 --save docs/speed

.PHONY: mutants help demo reproduce mission test coverage test-browser test-durability fuzz lint docs release-check online-check numbers bench speed
