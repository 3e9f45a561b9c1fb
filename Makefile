# `make demo` tells the story on the twin, `make test` tests everything this machine can.
# Both bring in what they need beyond python3; see tools/setup.sh.

.DEFAULT_GOAL := help
.PHONY: help demo demo-real test check static format bench soak lock run dev dev-real clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

demo: run ## a host dies, a fleet has a bad day; all simulated: under a minute after set-up
	@.venv/bin/frota demo

demo-real: dev-real ## the same on real libvirt hosts and API servers; needs root, installs nothing on the system
	@tests/real/install.sh --check
	@.venv/bin/python -m tests.real.demo

test: ## every test; root on a Debian-like machine also gets the real hosts
	@tools/test.sh $(ARGS)

check: static test ## format, lint, types, imports, structure, tests

static: dev ## `make check` without the tests
	.venv/bin/ruff format --check
	.venv/bin/ruff check
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/python -m tools.tidy

format: dev ## put every file into the house's form
	.venv/bin/ruff format
	.venv/bin/ruff check --fix

bench: dev ## the table of measured figures; ARGS go to bench/run.py
	@.venv/bin/python bench/run.py $(ARGS)

soak: run ## 100,000 random fault schedules, every invariant after every event (hours)
	@.venv/bin/frota simulate --fuzz $(or $(SCHEDULES),100000) --seed $(or $(SEED),1) \
		--jobs $$(nproc 2>/dev/null || echo 1) --output json

lock: dev ## bring uv.lock up to date with pyproject.toml
	.uv/bin/uv lock

run:
	@tools/setup.sh run

dev:
	@tools/setup.sh dev

dev-real:
	@tools/setup.sh dev libvirt

clean: ## remove what was made here, .venv and .uv included
	rm -rf .venv .uv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
