# The image of docker/Dockerfile. ENGINE: docker or podman, whichever is there.
ENGINE ?= $(shell command -v docker >/dev/null && docker info >/dev/null 2>&1 && echo docker || echo podman)
IMAGE  ?= localhost/squad:$(VERSION)
# How to build; docs/docker.md has one for machines without an engine's daemon.
BUILD  ?= $(ENGINE) build
.PHONY: image check-image

image: ## build the container image
	@$(BUILD) -f docker/Dockerfile -t $(IMAGE) .

check-image: deps ## start compose.yaml's containers on a private stack, and look hard at them
	@tools/squad-image-check --engine "$(ENGINE)" --image $(IMAGE)
