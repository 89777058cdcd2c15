# MNIST Digit Classifier. `make` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# The Python versions for which TorchServe and torch have wheels; PYTHON= selects another program.
SUITABLE := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
# make searches once, at the first use.
PYTHON ?= $(eval PYTHON := $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c '$(SUITABLE)' >/dev/null 2>&1 && echo $$python && break; done))$(PYTHON)
# An extra package index with CPU builds of torch, if the default index has only the larger CUDA builds.
TORCH_INDEX ?=

# native, containers (docker-compose.yml) or swarm (deploy/swarm), from the environment or .env. All have the same
# commands; containers need no Python.
RUNS_IN ?= $(shell sed -n 's/^RUNS_IN=//p' .env 2>/dev/null | tail -n 1)
ifneq ($(filter-out native containers swarm,$(RUNS_IN)),)
$(error Setting 'RUNS_IN' has value '$(RUNS_IN)'. Accepted: native, containers, swarm)
endif
ifneq ($(filter containers swarm,$(RUNS_IN)),)
OPS := ops/containers.sh
REGISTRY := $(OPS)
ARCHIVE := $(OPS) archive
TRAINING := $(OPS) training
TRACK := $(OPS) track
else
OPS := .venv/ops/bin/python -m ops
REGISTRY := .venv/registry/bin/python -m ops.integrations.registry
ARCHIVE := .venv/serve/bin/python -m training.archive
# By default glibc returns the memory of each training step and requests it again, for 1/15 of the time. Older versions
# of glibc accept at most 32 MiB.
TRAINING := MALLOC_MMAP_THRESHOLD_=33554432 MALLOC_TRIM_THRESHOLD_=2000000000 .venv/train/bin/python -m
TRACK := .venv/tracking/bin/python -m ops.integrations.tracking
INSTALLED := .venv/ops/installed
ONLY_IN_CONTAINERS = echo "make $@ needs RUNS_IN=containers; natively: make down, git $(GIT), make up" >&2; exit 2
REGISTRY_INSTALLED := .venv/registry/installed
ARCHIVE_INSTALLED := .venv/serve/installed
TRAINING_INSTALLED := .venv/train/installed
TRACKING_INSTALLED := .venv/tracking/installed
endif
# With an MLflow server, each target reports its changes of runs, versions and aliases. If the server is unavailable, the
# target still succeeds, and the next target reports the change.
MLFLOW := $(or $(MLFLOW_TRACKING_URI),$(shell sed -n 's/^MLFLOW_TRACKING_URI=//p' .env 2>/dev/null))
TRACKING := $(if $(MLFLOW),$(TRACKING_INSTALLED))
REPORT_TO_MLFLOW = $(if $(MLFLOW),$(TRACK) || :)

.PHONY: help
help: ## list the targets
	@echo "usage: make TARGET"
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | sort | \
		while IFS=$$'\t' read -r target what; do printf '  %-16s %s\n' "$$target" "$$what"; done

# The running system. ops/__main__.py and ops/containers.sh implement the COMMANDS; VALUES are their arguments.

VALUES :=
CHANGES := swap rollback canary promote
COMMANDS := down status logs models $(CHANGES) prune secrets backup restore
.PHONY: up upgrade undo push pull push-labels pull-labels from-s3 $(COMMANDS)
up: $(if $(INSTALLED),environments) ## start all parts and print the address; MONITORING=1 adds Prometheus and Alertmanager
	@$(OPS) up
down: ## stop everything, keep the data
status: ## state and health check of each part
logs: ## follow the logs of all parts; Ctrl-C ends it
models: ## list the model versions: role, workers, validation accuracy, accuracy in use
swap: VALUES = "$(VERSION)"
swap: $(if $(FROM),from-$(FROM)) ## make VERSION= the default if it passes its checks; FROM=s3 pulls it first
rollback: ## make the previous version the default again, at once
canary: VALUES = "$(VERSION)" "$(PERCENT)"
canary: ## send PERCENT= percent of the drawings to VERSION=; PERCENT=0 ends the canary
promote: ## make the canary the default version
prune: VALUES = "$(DAYS)"
prune: ## delete drawings older than DAYS= days, labelled ones too, and print their number
secrets: VALUES = "$(ROTATE)"
secrets: ## create missing passwords; ROTATE= replaces one, active at once
backup restore: VALUES = "$(FILE)"
backup: ## save drawings, archives and versions in one file; FILE= (default: backups/mnist-TIME.tar)
restore: ## restore drawings, archives and versions from the backup FILE=

$(CHANGES): $(TRACKING)
$(COMMANDS): $(INSTALLED)
	@$(OPS) $@ $(VALUES)
	@$(if $(filter $@,$(CHANGES)),$(REPORT_TO_MLFLOW))

push: ## upload the archive of VERSION= to the S3 store
pull: ## download the archive of VERSION= from the S3 store
push pull: $(REGISTRY_INSTALLED)
	@$(REGISTRY) $@ "$(VERSION)"
push-labels: $(INSTALLED) $(REGISTRY_INSTALLED) ## upload the labelled drawings from day SINCE= until before day UNTIL= to the S3 store
	@file=$$($(OPS) write-labels "$(SINCE)" "$(UNTIL)"); $(REGISTRY) $@ "$$file"
pull-labels: $(REGISTRY_INSTALLED) ## download the labelled drawings NAME= from the S3 store; without NAME, list them
	@$(REGISTRY) $@ "$(NAME)"
from-s3: pull
from-%:
	@echo "FROM '$*' is not a store, for example: make swap VERSION=1.1 FROM=s3" >&2; exit 2

upgrade: GIT = pull
upgrade: ## containers only: make a backup, then update images and migrations of the running system
undo: GIT = switch --detach COMMIT
undo: ## containers only: return to the images before the last upgrade; no drawing is lost
upgrade undo:
	@$(ONLY_IN_CONTAINERS)
	@$(OPS) $@

# The model

.PHONY: data mnist strokes train evaluate retrain archive track
data: $(TRAINING_INSTALLED) ## download MNIST and the real drawings into data/ and verify their checksums
	@$(TRAINING) training.data
mnist: $(TRAINING_INSTALLED) ## the same for MNIST alone
	@$(TRAINING) training.data --without-real-drawings
strokes: $(TRAINING_INSTALLED) ## draw sample sheets of the generated digits and non-digits, into runs/
	@$(TRAINING) training.strokes.sheet
train: $(if $(filter --without-real-drawings,$(ARGS)),mnist,data) $(TRACKING) ## train a model; QUICK=1 uses a smaller recipe, ARGS="--epochs 3" changes a setting
	@$(TRAINING) training.train $(if $(QUICK),--quick) $(ARGS)
	@$(REPORT_TO_MLFLOW)
evaluate: mnist ## evaluate the released model or MODEL= (checkpoint or archive); AGAINST= compares it with another
	@$(TRAINING) training.evaluate $(if $(MODEL),--model $(MODEL)) $(if $(AGAINST),--against $(AGAINST)) $(ARGS)
retrain: $(if $(INSTALLED),$(INSTALLED) .venv/serve/installed mnist) $(TRACKING) ## train on the labelled drawings, or on those of LABELS=; archive the next version if it is better; never swap
	@$(OPS) retrain "$(LABELS)" "$(CHAMPION)"
	@$(REPORT_TO_MLFLOW)
archive: $(ARCHIVE_INSTALLED) $(TRACKING) ## pack a checkpoint as model_store/mnist-VERSION.mar; VERSION=, CHECKPOINT=
	@test -n "$(VERSION)" || { echo "VERSION is missing, for example: make archive VERSION=1.1" >&2; exit 2; }
	@$(ARCHIVE) --version "$(VERSION)" $(if $(CHECKPOINT),--checkpoint $(CHECKPOINT))
	@$(REPORT_TO_MLFLOW)
track: $(TRACKING_INSTALLED) ## send missing runs, versions and aliases to the MLflow server at MLFLOW_TRACKING_URI
	@$(TRACK)

# The code. Each part has its own test environment, and a failed part does not stop the others. ARGS are pytest's
# arguments: make test ARGS="-k swap".

.PHONY: check test test-slow test-portable test-others test-containers test-swarm bench lint environments test-environments
check: test-environments ## run before each commit, one minute: lint, types and the tests that start no service
	@rm -f $(RAN)
	@$(MAKE) -s -k -j2 -Otarget SPEED=check test-training test-handler test-others test-ui lint
	@$(SOME_RAN)

test: test-environments ## run what CI runs, eight minutes on two threads of one core: lint and the tests of all parts
	@.venv/train/bin/python -m training.data --without-real-drawings || echo "Without MNIST the tests that need it are skipped."
	@echo "Three parts run at once; the output of each is shown when it ends."
	@rm -f $(RAN)
	@$(MAKE) -s -k -j3 -Otarget $(SYSTEM) lint $(PARTS)
	@$(SOME_RAN)

test-slow: test-environments mnist ## run the slow tests; CI runs them every night
	@$(MAKE) -s .venv/serve/fuzzing || echo "atheris has no wheel for this machine: hypothesis alone fuzzes the images" >&2
	@rm -f $(RAN)
	@$(MAKE) -s -k -j2 -Otarget SPEED=slow $(SYSTEM) $(PARTS)
	@$(SOME_RAN)

test-portable: test-environments ## run the tests of training and handler six times, with different processor instructions or rounding
	@.venv/test/bin/python -m tests.portable

# The marks of the selected tests: `check` excludes tests that start a service, `test` excludes slow tests.
SPEED := test
MARKS_check := not service and not slow
MARKS_test := not slow
MARKS_slow := slow
# A part may have no selected test (pytest's status 5), but one part must have one.
PYTEST = -m pytest -m "$(MARKS_$(SPEED))$(1)" $(2) $(ARGS) $(if $(filter-out 0,$(MAKELEVEL)),&& touch $(RAN) || test $$? = 5)
RAN := .venv/ran
SOME_RAN = test -e $(RAN) || { echo "ARGS '$(ARGS)' select no test" >&2; exit 2; }
# The environments of a running system.
RUNNING := $(patsubst %,.venv/%/installed,ops serve page monitoring)
# Three run at once on two cores: first the two longest, beside parts that mostly wait; then the others, longest first.
SYSTEM := test-failures test-system
IN_TEST := test-ops test-gateway test-monitoring test-sql test-benchmarks
PARTS := test-ops test-gateway test-handler test-training test-ui test-sql test-monitoring test-project test-benchmarks
.PHONY: $(SYSTEM) $(PARTS)

# Tests of training that need the serving environment.
SERVED := tests/training/archive/test_pack.py tests/training/evaluate/test_behaviour.py
# One thread each: these computations are small, so more threads would wait for each other.
test-handler: export OMP_NUM_THREADS = 1
test-handler: .venv/serve/tested ## test the handler, and the archive as TorchServe loads it
	@.venv/serve/bin/python $(call PYTEST,,tests/handler $(SERVED))
test-training: export OMP_NUM_THREADS = 1
test-training: .venv/train/tested ## test training, from data to a published model
	@.venv/train/bin/python $(call PYTEST,,tests/training $(SERVED:%=--ignore=%))
test-ui: .venv/page/tested ## test the page without a browser, the outbox and the deliverer
	@.venv/page/bin/python $(call PYTEST,,tests/ui)
test-gateway: ## test nginx with its configuration
test-sql: ## test the migrations and the page's queries in PostgreSQL
test-ops: .venv/tracking/installed .venv/mlflow/installed ## test the commands behind make, with PostgreSQL, S3 and MLflow
test-monitoring: .venv/monitoring/installed ## test exporter, rules, alerts and dashboards, with Prometheus and Alertmanager
FIXTURES :=
test-benchmarks: FIXTURES = tests/fixtures
test-benchmarks: ## test the calculations of the benchmarks
$(IN_TEST): .venv/test/installed
	@.venv/test/bin/python $(call PYTEST,,$(@:test-%=tests/%) $(FIXTURES))
WITHOUT_ENGINE := tests/containers/test_compose_file.py tests/swarm/test_stack_file.py tests/swarm/test_commands.py tests/kubernetes
test-project: .venv/test/installed .venv/kubernetes/installed ## test make, settings, documentation, imports and the files for containers
	@# Without this make's variables, because these tests run make.
	@env -u MAKEFLAGS -u MAKELEVEL .venv/test/bin/python $(call PYTEST,,tests/test_*.py $(WITHOUT_ENGINE))
test-system: $(RUNNING) .venv/test/installed ## test the running system, over HTTP and in a browser
	@.venv/test/bin/python $(call PYTEST, and not harms,tests/system)
test-failures: $(RUNNING) .venv/test/installed .venv/registry/installed ## test a system while processes are killed and models are swapped
	@.venv/test/bin/python $(call PYTEST, and harms,tests/system)

# One pytest session for several parts, because each session takes time to start.
test-others: .venv/test/installed .venv/kubernetes/installed
	@env -u MAKEFLAGS -u MAKELEVEL .venv/test/bin/python $(call PYTEST,,tests --ignore=tests/handler \
		--ignore=tests/training --ignore=tests/ui --ignore=tests/system)

test-containers: .venv/test/installed ## build, run and test docker-compose.yml; takes 20 minutes, needs a container engine
	@env -u MAKEFLAGS -u MAKELEVEL .venv/test/bin/python -m pytest --timeout=1800 tests/containers $(ARGS)
test-swarm: .venv/test/installed ## run and test deploy/swarm on two nodes of this machine; takes 20 minutes, needs a container engine and root
	@env -u MAKEFLAGS -u MAKELEVEL .venv/test/bin/python -m pytest --timeout=1800 tests/swarm $(ARGS)

bench: environments .venv/bench/installed $(if $(filter retrain,$(BENCH)),mnist) ## run benchmarks into benchmarks/results/; BENCH=predict (BASE=COMMIT compares with it, QUICK=1 measures the bars alone), network, page, memory or database (default: these five), swaps, retrain, soak or monitoring
	@.venv/bench/bin/python -m benchmarks $(BENCH)

lint: .venv/lint/installed ## ruff and mypy
	@.venv/lint/bin/ruff check .
	@.venv/lint/bin/ruff format --check .
	@.venv/lint/bin/mypy

# The environments: one per part, like the containers. An interrupted installation starts again.

environments:
	@$(MAKE) -s -j3 $(RUNNING)
test-environments:
	@$(MAKE) -s -j3 $(RUNNING) $(patsubst %,.venv/%/tested,serve train page) \
		$(patsubst %,.venv/%/installed,test lint registry tracking mlflow kubernetes)

OPS_LOCKS := ops/requirements.lock handler/requirements-java.lock
.venv/ops/installed: $(OPS_LOCKS)
.venv/serve/installed: handler/requirements.lock handler/requirements-torch.txt
.venv/page/installed: ui/requirements.lock
.venv/monitoring/installed: monitoring/requirements.lock
.venv/train/installed: training/requirements.lock training/requirements-torch.txt
.venv/registry/installed: ops/requirements-registry.lock
.venv/tracking/installed: ops/requirements-tracking.lock
.venv/test/installed: $(OPS_LOCKS) ops/requirements-registry.lock tests/requirements.lock
.venv/mlflow/installed: ops/requirements-mlflow.lock tests/requirements-mlflow.lock
.venv/lint/installed: tests/requirements-lint.lock
.venv/kubernetes/installed: tests/requirements-kubernetes.lock
.venv/bench/installed: $(OPS_LOCKS) handler/requirements.lock benchmarks/requirements.lock handler/requirements-torch.txt
.venv/uv/installed: tests/requirements-uv.lock

# pip installs only wheels with a hash in the locks, because a source build runs packages outside the locks. Then it
# installs torch, of any build (handler/requirements-torch.txt).
PIP = .venv/$*/bin/python -m pip install --disable-pip-version-check --progress-bar off --only-binary :all:
INSTALL = $(PIP) --no-deps --require-hashes $(patsubst %,-r %,$(filter %.lock,$^))
INSTALL_TORCH = $(patsubst %,&& $(PIP) $(TORCH_INDEX:%=--extra-index-url %) -r %,$(filter %-torch.txt,$^))
# pip's output goes to a log; the terminal shows each download with its size.
SHOW = 2>&1 | tee .venv/$*.log | sed -un 's/^ *Downloading \(.*[0-9] [MG]B)\).*/  \1/p' || \
	{ echo "Installing .venv/$* failed:" >&2; tail -n 5 .venv/$*.log >&2; exit 1; }

.venv/%/installed:
	@# The check of ops/native/up.py, before the installation.
	@case "$$PWD" in *[\"\$$\`\\\*\?\[:]*) echo "The folder of this checkout, $$PWD, has one of the characters" \
		'" $$ ` \ * ? [ : in its path. Choose a folder without it.' >&2; exit 1;; esac
	@test -n "$(PYTHON)" || { echo "Python 3.11 to 3.13 with venv is needed and was not found; install it" \
		"(Debian: apt-get install python3-venv), or name one: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@echo "installing .venv/$* from $^ ..."
	@rm -rf .venv/$* && $(PYTHON) -m venv .venv/$*
	@{ $(INSTALL) $(INSTALL_TORCH); } $(SHOW)
	@touch $@

.venv/serve/tested: tests/requirements-handler.lock
.venv/%/tested: .venv/%/installed tests/requirements-unit.lock
	@$(INSTALL) $(SHOW)
	@touch $@

.venv/%/fuzzing: .venv/%/tested tests/requirements-fuzz.lock
	@$(INSTALL) $(SHOW)
	@touch $@

# Each requirements file has a lock with its direct and indirect packages. All files are first resolved together, so that
# locks agree, because an environment installs several. MLflow's server is resolved alone, because it would keep the page
# at older versions. Current versions stay if possible.
REQUIREMENTS := $(filter-out %-torch.txt,$(wildcard */requirements*.txt))
ALONE := ops/requirements-mlflow
TOGETHER := $(filter-out $(ALONE).txt,$(REQUIREMENTS)) handler/requirements-torch.txt
COMPILE := .venv/uv/bin/uv pip compile --quiet --output-file
RAISE = $(if $(filter all,$(UPGRADE)),--upgrade,$(UPGRADE:%=--upgrade-package %))

.PHONY: lock
lock: .venv/uv/installed ## write the locks after a change of a requirements file; UPGRADE=NAME or all raises indirect packages
	@cat $(wildcard $(TOGETHER:%.txt=%.lock)) /dev/null > .venv/uv/versions.txt
	@$(COMPILE) .venv/uv/versions.txt $(RAISE) $(TOGETHER)
	@for file in $(REQUIREMENTS:%.txt=%); do \
		for known in .venv/uv/versions.txt $$file.lock; do test ! -e $$known || cat $$known; done > .venv/uv/new.lock; \
		for input in $$file.txt $$file-torch.txt; do test ! -e $$input || echo $$input; done | xargs \
			$(COMPILE) .venv/uv/new.lock --generate-hashes $$(test $$file != $(ALONE) || echo "$(RAISE)"); \
		cmp -s .venv/uv/new.lock $$file.lock || mv .venv/uv/new.lock $$file.lock; \
	done
