#!/bin/sh
# The page of a lab guest: who it is, which boot this is, and for how long it has run.
read -r name mac boot </www/state
read -r up idle </proc/uptime
printf 'Content-Type: application/json\r\n\r\n'
printf '{"name": "%s", "mac": "%s", "boot": "%s", "uptime": %s}\n' "$name" "$mac" "$boot" "$up"
