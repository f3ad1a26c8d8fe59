#!/bin/sh
set -e
if [ -n "$X" ]; then
  jq . < a.json | grep x
fi
