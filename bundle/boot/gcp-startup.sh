#!/bin/sh
# Generated from bundle/boot/src by npm run generate.
# Start-up script of Compute Engine: makes a runner of an instance; at every later boot it finds all as it should be.
# Use it as it is, and say the rest in custom metadata of the instance: runner-release-url, runner-version,
# runner-install-sha256, runner-api-url, runner-id. With runner-mng-id
# there is a supervisor too. docs/install-vm.md tells more.
set -u
CLOUD=gcp
METADATA=${RUNNER_METADATA_URL:-http://169.254.169.254}/computeMetadata/v1/instance

from_cloud() { curl -fsS -m 5 --noproxy '*' -H 'Metadata-Flavor: Google' "$METADATA/attributes/$1"; }

# What is not given by the environment is a tag or attribute of the machine. None of it is secret: the token comes by
# the machine's identity.
settings() {
  setting RUNNER_RELEASE_URL runner-release-url &&
    setting RUNNER_VERSION runner-version &&
    setting RUNNER_INSTALL_SHA256 runner-install-sha256 &&
    setting RUNNER_API_URL runner-api-url &&
    setting RUNNER_ID runner-id
}

say() { echo "runner-boot: $*"; }

# VARIABLE TAG
setting() {
  eval "now=\${$1-}"
  [ -n "$now" ] || now=$(from_cloud "$2") || now=''
  if [ -z "$now" ]; then
    say "nothing says $1: set the tag $2 of this machine"
    return 1
  fi
  export "$1=$now"
}

# First of all: a machine that does not get healthy in time is powered off, so that its group makes a new one.
arm() {
  systemctl stop runner-boot-watchdog.timer 2>/dev/null
  # shellcheck disable=SC2086 # a command
  systemd-run --quiet --unit=runner-boot-watchdog --on-active="${RUNNER_BOOT_DEADLINE:-15min}" \
    --timer-property=AccuracySec=1s ${RUNNER_BOOT_POWER_OFF:-systemctl poweroff}
}

disarm() { systemctl stop runner-boot-watchdog.timer 2>/dev/null; }

# install.sh of exactly that release: whose checksum is known here has its key in it.
fetch_installer() {
  folder=$(mktemp -d) || return 1
  for base in "$RUNNER_RELEASE_URL/$RUNNER_VERSION" "$RUNNER_RELEASE_URL"; do
    # By stdin: it may hold a password.
    echo "url = \"$base/install.sh\"" |
      curl -fsSL -K - --connect-timeout 20 --retry 2 -o "$folder/install.sh" 2>/dev/null || continue
    echo "$RUNNER_INSTALL_SHA256  $folder/install.sh" | sha256sum -c --status && return 0
    say "$base/install.sh is not the one of runner-install-sha256"
  done
  rm -rf "$folder"
  return 1
}

# May be begun again at any point; in a shell of its own, so that tags are read again.
set_up() {
  folder=''
  # A token may lie in it.
  trap 'rm -rf "$folder"' EXIT
  settings || return
  fetch_installer || return
  sh "$folder/install.sh" --no-service || return
  if [ ! -s /etc/runner/token ]; then
    runner mng fetch-token --cloud "$CLOUD" --token-file /etc/runner/token || return
  fi
  supervise=''
  if setting RUNNER_MNG_ID runner-mng-id >/dev/null 2>&1; then
    supervise=--mng
    token_of_mng || return
  fi
  sh "$folder/install.sh" $supervise
}

# The supervisor is a runner of its own, but on a Nuon control plane: there it has the same id.
token_of_mng() {
  if [ "$RUNNER_MNG_ID" = "$RUNNER_ID" ]; then
    unset RUNNER_MNG_ID
  elif [ ! -e /etc/runner/runner-mng.env ]; then
    runner mng fetch-token --cloud "$CLOUD" --runner-id "$RUNNER_MNG_ID" --token-file "$folder/token" || return
    RUNNER_MNG_API_TOKEN=$(cat "$folder/token")
    export RUNNER_MNG_API_TOKEN
  fi
}

stays_healthy() {
  for _ in 1 2 3; do
    runner service status >/dev/null || return
    sleep "${RUNNER_BOOT_PAUSE:-15}"
  done
}

main() {
  PATH=$PATH:/usr/local/bin:/usr/sbin:/sbin
  arm || say "no watchdog could be armed"
  until (set_up) && stays_healthy; do
    say "not set up yet; trying again"
    sleep "${RUNNER_BOOT_PAUSE:-15}"
  done
  disarm
  say "the runner is healthy"
}

main
