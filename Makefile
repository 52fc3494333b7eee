# Everything here works from nothing but Python 3.11 to 3.14 and make: the first target that needs
# it makes .venv and installs the project there, once. Paths are relative, so the checkout may lie
# in a folder whose name holds spaces.

BIN := .venv/bin
JHMDB ?=
PROFILE ?= tiny
SPLIT ?= 1
SEED ?= 0
PYTEST ?=
TOUR ?=
LAB ?=
GPU ?=
COPIES ?=
ASSIGNMENTS ?= --try
BENCH ?=
FUZZ ?=
STICK ?= build/stick
LEDGER ?=
export PYTHON

DATASET := $(if $(JHMDB),jhmdb,puppets)
NOTEBOOKS := $(wildcard notebooks/*.ipynb)

.DEFAULT_GOAL := help
.PHONY: help tour lab site site-check reference cheat-sheet slides student teacher assignments test lint gpu bench fuzz wheel stick doctor clean

help:  ## say what can be made
	@echo "make tour [JHMDB=/path]  the whole system once, on generated clips (into runs/tour) or on JHMDB"
	@echo "                         (into runs/tour-jhmdb)"
	@echo "                         (PROFILE=tiny|course|paper SPLIT=1|2|3 SEED=0 TOUR='-p NAME=VALUE')"
	@echo "make lab                 JupyterLab with students' copies of the lessons, build/student"
	@echo "                         (LAB=teacher: with the solutions; LAB='--no-browser': its own options)"
	@echo "make student             the notebooks with blanks for solutions, into build/student"
	@echo "make teacher             the same with the solutions in sight, into build/teacher"
	@echo "                         (COPIES=--overwrite: also over copies that were worked in)"
	@echo "make assignments         the lessons as nbgrader assignments, into build/assignments, and a trial of"
	@echo "                         their grading (ASSIGNMENTS='notebooks/03_lstm.ipynb --try': of one alone)"
	@echo "make site                all notebooks executed, and a site of them, into build/site"
	@echo "                         (LEDGER=FOLDER: the page of that ledger, made by rstan-lite ledger)"
	@echo "make site-check          look at each of its pages in Chromium, by day, by night, on a phone"
	@echo "make reference           the pages of the package's functions alone, into build/reference; nothing runs"
	@echo "make slides              slides of a one-day workshop from the lessons' figures: build/slides.html"
	@echo "make cheat-sheet         one page with diagram, equations and symbols, into build (PDF and HTML)"
	@echo "make test                lint, types and all tests (PYTEST='-k name' picks some)"
	@echo "make lint                ruff, mypy and the rooms' arrows alone"
	@echo "make gpu [JHMDB=/path]   speed, memory and agreement of a GPU, into runs/gpu; needs no Jupyter"
	@echo "                         (GPU='--missing skip ...': further options)"
	@echo "make bench [JHMDB=/path] speed, memory and growth beside a plain reference, into runs/bench"
	@echo "                         (BENCH='--rounds 3 --parts speed': further options)"
	@echo "make fuzz                damaged and hostile files of every kind, into runs/fuzz (Linux)"
	@echo "                         (FUZZ='--cases 2000 --seed 0', or '--only CASE' to repeat one)"
	@echo "make wheel               build the wheel, and try it in an empty environment (minutes)"
	@echo "make stick               the wheel and all that it needs, for machines without internet, into STICK=FOLDER"
	@echo "make doctor              what works on this machine and what to do about the rest"
	@echo "make clean               take away .venv and caches; runs/ stays"
	@echo "PYTHON=python3.12        the interpreter to build .venv with (3.11 to 3.14)"

.venv/.installed: pyproject.toml .ci/environment
	@sh .ci/environment

tour: .venv/.installed
	$(BIN)/rstan-lite tour $(if $(JHMDB),--root '$(JHMDB)') -p profile=$(PROFILE) -p split=$(SPLIT) \
	    -p seed=$(SEED) $(TOUR)

lab: .venv/.installed
# Copies that somebody works in stay; the command says which lessons have changed since.
	$(BIN)/rstan-lite lab $(LAB)

student teacher: .venv/.installed
	$(BIN)/rstan-lite copies $@ build/$@ $(COPIES)

assignments: .venv/.installed
	$(BIN)/rstan-lite assignments build/assignments $(ASSIGNMENTS)

site: .venv/.installed
	$(BIN)/python -m website --out build/site $(if $(LEDGER),--ledger '$(LEDGER)')

site-check: .venv/.installed
	$(BIN)/python -m tests.site.crawl build/site

reference: .venv/.installed
	$(BIN)/python -m website --reference --out build/reference

cheat-sheet: .venv/.installed
	$(BIN)/python -m website.cheat_sheet --out build

slides: .venv/.installed
	$(BIN)/python -m website.slides --out build

# Types are checked for each of these systems; tests check those of the machine alone.
SYSTEMS ?= linux win32 darwin
lint: .venv/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	for system in $(SYSTEMS); do $(BIN)/mypy --platform $$system --cache-dir .mypy_cache/$$system || exit 1; done
	$(BIN)/lint-imports --no-cache

test:
	@$(MAKE) --no-print-directory lint SYSTEMS=linux
# In the order of the folders: the notebooks, each a piece of half a minute, fill the end evenly.
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder \
	    $(if $(NOTEBOOKS),--nbval-lax --nbval-current-env --nbval-cell-timeout 600) \
	    tests $(NOTEBOOKS) $(PYTEST)

gpu: .venv/.installed
	$(BIN)/rstan-lite bench gpu --dataset $(DATASET) $(if $(JHMDB),--root '$(JHMDB)') --out runs/gpu $(GPU)

bench: .venv/.installed
	$(BIN)/rstan-lite bench --out runs/bench $(if $(JHMDB),--root '$(JHMDB)') $(BENCH)

fuzz: .venv/.installed
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.hostile --out runs/fuzz $(FUZZ)

wheel: .venv/.installed
	@sh .ci/wheel

stick: .venv/.installed
	@sh .ci/stick $(STICK)

doctor: .venv/.installed
	$(BIN)/rstan-lite doctor $(if $(JHMDB),--jhmdb '$(JHMDB)')

clean:
	rm -rf .venv .uv dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find rstan_lite tests -name __pycache__ -type d -exec rm -rf {} +
