# Targets of the project; `make help` lists them.
GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS := -s -w -X main.version=$(VERSION)
PKGS    := ./...
TIMEOUT ?= 10m
# Tests start real servers: the colour and format of the caller's terminal must not reach them.
CLEAN   := env -u NATS_URL -u NATS_CONTEXT -u NATS_CREDS -u NATS_USER -u NATS_PASSWORD -u NATS_TOKEN -u NATS_NKEY -u NATS_JWT -u NATS_SEED -u NATS_CA -u NATS_CERT -u NATS_KEY -u NATS_TIMEOUT -u NATS_COLOR -u NATS_FORMAT -u NATS_TABLE_FORMAT -u LLMFORMAT -u CLAUDECODE -u TESTING -u NOVALIDATE
PLATFORMS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64

.DEFAULT_GOAL := build

build: ## Write bin/nats
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/nats ./nats

install: ## Install nats into GOBIN
	CGO_ENABLED=0 $(GO) install -trimpath -ldflags '$(LDFLAGS)' ./nats

demo: build ## Play the demo: every line and its real output, against a server of its own
	docs/demo/demo.sh bin/nats

talk: build ## Play the talk on this machine: a hub, a leaf node, thirty devices
	$(GO) build -o bin/world ./internal/talk/world
	docs/talk/talk.sh bin/nats bin/world

test: ## All tests
	$(CLEAN) $(GO) test -timeout $(TIMEOUT) $(PKGS)

short: ## Tests without clusters and without fault injection
	$(CLEAN) $(GO) test -short -timeout $(TIMEOUT) $(PKGS)

race: ## All tests under the race detector
	$(CLEAN) $(GO) test -race -timeout 30m $(PKGS)

soak: ## Fault and load tests at full size
	$(CLEAN) NATSKIT_SOAK=1 $(GO) test -count 1 -timeout 90m $(PKGS)

fuzz: ## Ten seconds of random argument lists
	$(CLEAN) $(GO) test -run '^$$' -fuzz FuzzArguments -fuzztime 10s ./cli

lint: ## Formatting, vet, staticcheck
	@out=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$out" || { echo "not formatted:"; echo "$$out"; exit 1; }
	$(GO) vet $(PKGS)
	$(GO) tool staticcheck $(PKGS)

tidy: ## go.mod and go.sum are what the code needs
	$(GO) mod tidy -diff

cross: ## Build for every platform
	@for p in $(PLATFORMS); do echo "build $$p"; GOOS=$${p%/*} GOARCH=$${p#*/} CGO_ENABLED=0 $(GO) build -o /dev/null ./nats && GOOS=$${p%/*} GOARCH=$${p#*/} CGO_ENABLED=0 $(GO) build $(PKGS) || exit 1; done

golden: ## Rewrite golden files; read the diff
	$(CLEAN) $(GO) test $$(git grep -l -e viewtest.Golden -e 'flag.Bool("update"' -- '*_test.go' | xargs -n1 dirname | sort -u | sed 's,^,./,') -update

docs: ## Write reference, man pages and cheats from the tree
	$(GO) run ./nats docs write --dir docs

bench: ## Benchmarks, and speeds as ratios to the raw wire in the same run; PEER=/path/to/another/nats is run beside
	$(CLEAN) SUITE=1 PEER='$(abspath $(PEER))' $(GO) test -count 1 -timeout 30m -run '^TestSuite$$' -v ./internal/meter/suite
	$(CLEAN) $(GO) test -run '^$$' -bench . -benchmem -benchtime 300ms ./internal/wire ./internal/render ./internal/payload ./internal/meter/... ./cli/sub

check: lint tidy test fuzz cross ## Everything CI runs

release: ## Archives with checksums in dist/
	@rm -rf dist && mkdir -p dist
	@for p in $(PLATFORMS); do \
	  os=$${p%/*} arch=$${p#*/} ext=; [ $$os = windows ] && ext=.exe; \
	  name=nats-$(VERSION)-$$os-$$arch; mkdir -p dist/$$name; \
	  GOOS=$$os GOARCH=$$arch CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o dist/$$name/nats$$ext ./nats || exit 1; \
	  cp README.md LICENSE CHANGELOG.md dist/$$name/; tar -C dist -czf dist/$$name.tar.gz $$name && rm -r dist/$$name; echo dist/$$name.tar.gz; \
	done
	@cd dist && sha256sum *.tar.gz > SHA256SUMS && cat SHA256SUMS

help: ## This list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  %-10s %s\n", $$1, $$2}'

.PHONY: build install demo talk test short race soak fuzz lint tidy cross golden docs bench check release help
