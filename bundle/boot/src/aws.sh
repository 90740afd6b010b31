#!/bin/sh
# EC2 user data: makes a runner of a new instance. Use it as it is, and say the rest in tags of the instance (with
# "instance metadata tags" enabled): runner-release-url, runner-version, runner-install-sha256, runner-api-url,
# runner-id. With runner-mng-id
# there is a supervisor too. docs/install-vm.md tells more.
set -u
CLOUD=aws
METADATA=${RUNNER_METADATA_URL:-http://169.254.169.254}/latest

# IMDSv2 alone: version 1 may be off, and should be.
from_cloud() {
  session=$(curl -fsS -m 5 --noproxy '*' -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 300' "$METADATA/api/token") || return
  curl -fsS -m 5 --noproxy '*' -H "X-aws-ec2-metadata-token: $session" "$METADATA/meta-data/tags/instance/$1"
}

