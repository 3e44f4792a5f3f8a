# `make` alone lists what there is.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

.PHONY: help setup build release test unit integration demo bench openb bench-scheduling check format lint generate openapi api-fuzz conformance-numba conformance-frameworks gpu-check crash-store bench-store simulate fuzz clean

help: ## List these verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Install what a build and the tests need (Debian packages, Python environment)
	@bash Scripts/setup-debian.sh
	@bash Scripts/setup-python.sh
	@bash Scripts/setup-cuda.sh

build: ## Debug build of everything
	@bash Scripts/setup-debian.sh
	swift build --build-tests

release: ## Release build, laid out in .build/roost
	@bash Scripts/setup-debian.sh
	@bash Scripts/build-release.sh

test: ## Everything that CI runs: lint, generator check, unit tests, release build, integration tests
	@bash Scripts/test.sh

unit: ## Unit and loopback tests only
	swift test

integration: release ## Integration tests only: real processes, C programs, Python clients
	@bash Scripts/setup-python.sh
	@bash Scripts/setup-cuda.sh
	@bash Scripts/test-integration.sh

demo: ## Three unmodified CUDA programs side by side on one software GPU
	@bash Scripts/demo.sh

bench: ## Measure calls, copies, kernels and loading beside their physical limits
	@bash Scripts/bench.sh

openb: ## The published scheduling experiment beside ours: policies by workloads, remote fallback, departures
	@bash Scripts/openb.sh openb $(ARGS)

bench-scheduling: ## Decisions a second, gangs, verdicts and preemption on 100,000 and 1,000,000 devices, in memory
	@bash Scripts/openb.sh scale $(ARGS)
	@bash Scripts/openb.sh million $(ARGS)

check: lint ## Quick checks before a commit: lint, generated files, tidy tests
	@bash Scripts/generate.sh --check
	swift test --filter TidyTests

format: ## Format the hand-written Swift files
	@bash Scripts/format.sh

lint: ## Check the format of Swift files, and shell scripts where shellcheck is installed
	@bash Scripts/lint.sh

generate: ## Write the generated files from API/*.json
	@bash Scripts/generate.sh

openapi: ## Write API/openapi.json from the route table and the kinds' fields
	swift run roost-server openapi >.build/openapi.json
	mv .build/openapi.json API/openapi.json

api-fuzz: release ## Run schemathesis against the control plane's own OpenAPI document
	@bash Scripts/setup-python.sh
	@bash Scripts/api-fuzz.sh

conformance-numba: release ## Run numba-cuda's own driver tests and compare with the recorded table
	@bash Scripts/setup-python.sh
	@bash Scripts/conformance-numba.sh

conformance-frameworks: release ## Run PyTorch, JAX, ONNX Runtime and CuPy on vGPUs (large downloads) and compare
	@bash Scripts/conformance-frameworks.sh

gpu-check: ## Pack the check for a machine with a GPU, and run it where this machine has one (ARGS="--quick")
	@bash Scripts/gpu-check.sh $(ARGS)

crash-store: ## Kill a writer of the store 200 times and look for what it had acknowledged
	ROOST_CRASH_ROUNDS=200 swift test --filter CrashTests

bench-store: ## Measure the control plane's store on SQLite and etcd beside the disk's own rate
	@bash Scripts/bench-store.sh

simulate: ## Simulate whole fleets under failures, by seed (ARGS="--seeds 1000 --first 1")
	@bash Scripts/simulate.sh $(ARGS)

fuzz: ## Fuzz the frame decoder and the PTX parser for a minute each
	@bash Scripts/fuzz.sh

clean: ## Remove everything that was built
	rm -rf .build Tools/.build Benchmarks/.build Fuzzing/.build
