# `make` says what there is. Needs Debian 12 and Swift 6.3; all else is installed on the way.

.DEFAULT_GOAL := help
.PHONY: help build bench demo test faults soak lint format clean install servers swift

SWIFT_SOURCES := Sources Tests actors Package.swift

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: install swift ## builds everything
	swift build

bench: servers swift ## measures everything in a quarter of an hour, beside what it is held against (BENCH='--only hop --check')
	@python3 bench/run.py $(BENCH)

demo: build ## real documents through a real pipeline, live (SERVERS=1: on RabbitMQ and PostgreSQL; ONCE=1: end after the table)
	@if [ "$(SERVERS)" = 1 ]; then deploy/local/install.sh servers; fi
	@SERVERS=$(SERVERS) python3 deploy/demo/demo.py

test: swift ## installs what is missing, lints, builds, and runs every test beside real servers
	@python3 deploy/local/stages.py

faults: servers build ## the fault suite: breaks one thing after the other under load, and counts every envelope
	@python3 Tests/Faults/faults.py

soak: servers build ## the fault suite with 2,000 envelopes a scenario, and the scenarios that take long (half an hour)
	@python3 Tests/Faults/faults.py --soak

lint: swift ## checks the Swift code's form
	swift format lint --strict --recursive --parallel $(SWIFT_SOURCES)

format: swift ## brings the Swift code into form
	swift format --in-place --recursive --parallel $(SWIFT_SOURCES)

clean: ## removes what was built
	rm -rf .build
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +

install:
	@deploy/local/install.sh

servers:
	@deploy/local/install.sh servers

swift:
	@command -v swift >/dev/null || { \
		echo "error: no 'swift' on the PATH. Troupe is built with Swift 6.3: install it from swift.org and add" \
			"its usr/bin to PATH" >&2; \
		exit 69; \
	}
