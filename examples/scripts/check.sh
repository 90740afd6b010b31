#!/bin/sh
set -eu
printf 'argument: <%s>\n' "$@"
