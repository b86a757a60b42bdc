# Every target is a line or two that a person could type.
INSTANCE ?= a
export INSTANCE
VENV := .venv
STATE := $(if $(filter a,$(INSTANCE)),var,var-$(INSTANCE))
PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
SHELL := /bin/sh

.PHONY: install demo up down test faults siege fuzz check bench lock format

install: $(VENV)/.installed          ## what the project needs, from apt and PyPI

$(VENV)/.installed: requirements.txt requirements-dev.txt pyproject.toml tools/install.sh
	tools/install.sh $(VENV)
	@touch $@

demo: up                             ## a first container, from nothing
	. $(STATE)/env.sh && docker run --rm busybox echo 'Hello from a container of your own data center'

up: install                          ## data center, gateway, account, certificates, busybox
	docker-gateway up

down: install                        ## stop everything, leave nothing behind
	docker-gateway down

test: install                        ## all tests, end-to-end ones too
	python -m pytest

faults: install                      ## every process killed at every point of a container's life: ten minutes
	EVERY_POINT=1 python -m pytest -s tests/faults

siege: install                       ## 200 containers of all kinds, every process killed in turn: three minutes
	SIEGE_CONTAINERS=200 python -m pytest -s tests/e2e/test_siege.py

check: install                       ## format, lint, types, import law, module sizes
	ruff format --check . && ruff check . && mypy && lint-imports && python tools/check_sizes.py

bench: up                            ## create+start+wait+remove, exec, run: medians on this machine
	. $(STATE)/env.sh && python benchmarks/lifecycle.py

fuzz: install                        ## ask services and gateway twenty times as many strange things as the tests do
	FUZZ_EXAMPLES=200 python -m pytest tests/contract/test_unexpected.py tests/contract/strange

format: install
	ruff format . && ruff check --fix .

lock: install                        ## pin what pyproject.toml asks for
	uv pip compile -q --generate-hashes --python-version 3.11 pyproject.toml -o requirements.txt
	uv pip compile -q --generate-hashes --python-version 3.11 --extra dev -c requirements.txt pyproject.toml -o requirements-dev.txt
