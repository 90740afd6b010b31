#!/bin/sh
# Start-up script of Compute Engine: makes a runner of an instance; at every later boot it finds all as it should be.
# Use it as it is, and say the rest in custom metadata of the instance: runner-release-url, runner-version,
# runner-install-sha256, runner-api-url, runner-id. With runner-mng-id
# there is a supervisor too. docs/install-vm.md tells more.
set -u
CLOUD=gcp
METADATA=${RUNNER_METADATA_URL:-http://169.254.169.254}/computeMetadata/v1/instance

from_cloud() { curl -fsS -m 5 --noproxy '*' -H 'Metadata-Flavor: Google' "$METADATA/attributes/$1"; }

