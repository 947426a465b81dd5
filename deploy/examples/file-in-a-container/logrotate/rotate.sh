#!/bin/sh
# What cron does elsewhere: logrotate once a minute. It keeps its state beside the file, and runs as the application's
# user, so that it may signal it.
trap 'exit 0' TERM INT
while :; do
  /usr/sbin/logrotate --state /var/log/app/.logrotate.state /etc/logrotate.conf
  sleep "${INTERVAL:-60}" &
  wait $!
done
