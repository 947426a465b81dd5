#!/bin/bash
# Variables such as `discovery.type` are settings.
set -e
settings=()
while IFS= read -r -d '' variable; do
  if [[ ${variable%%=*} =~ ^[a-z0-9_]+(\.[a-z0-9_]+)+$ ]]; then settings+=("-E$variable"); fi
done < /proc/self/environ
exec bin/elasticsearch "${settings[@]}"
