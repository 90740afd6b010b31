#!/bin/sh
set -eu
# A value of several lines stands between two markers.
{
  echo "limit=$LIMIT"
  echo "items<<END"
  seq "$LIMIT"
  echo "END"
} >> "$RUNNER_OUTPUT"
