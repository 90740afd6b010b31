#!/bin/sh
# Custom data of an Azure virtual machine or scale set (by cloud-init): makes a runner of it. Use it as it is, and say
# the rest in tags of the machine: runner-release-url, runner-version, runner-install-sha256, runner-api-url, runner-id.
# With runner-mng-id
# there is a supervisor too. docs/install-vm.md tells more.
set -u
CLOUD=azure
METADATA=${RUNNER_METADATA_URL:-http://169.254.169.254}/metadata/instance

# name:value;name:value
from_cloud() {
  curl -fsS -m 5 --noproxy '*' -H 'Metadata: true' "$METADATA/compute/tags?api-version=2021-02-01&format=text" |
    tr ';' '\n' | sed -n "s/^$1://p"
}

