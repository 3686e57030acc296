#!/bin/sh
# Watches a file that a job touches while it is well, and tells smsbatch once when it has grown too old.
#
#     NATS_URL=nats://127.0.0.1:4222 ./heartbeat.sh /var/run/backup.alive 300
#
# What that becomes is said by a rule for the source `heartbeat` (docs/watching.md). With --once it looks once.
set -eu
file=$1
max_age_seconds=$2
nats=${NATS_CLI:-nats}
told=

look() {
  # GNU, else BSD and macOS.
  touched=$(stat -c %Y "$file" 2>/dev/null || stat -f %m "$file")
  age=$(($(date +%s) - touched))
  [ "$age" -gt "$max_age_seconds" ] || return 0
  # One outage is one event, however often it is looked at: the message id says so, also after a restart.
  [ "$told" != "$touched" ] || return 0
  name=$(basename "$file")
  # `nats req`, not `nats pub`: the answer is JetStream's, and says that the event is stored.
  "$nats" req --raw --header "Nats-Msg-Id:heartbeat:$name:$touched" sms.trigger.heartbeat \
    "{\"job\":\"$name\",\"silentSeconds\":$age,\"since\":$touched}"
  told=$touched
}

while :; do
  look
  [ "${3:-}" != --once ] || exit 0
  sleep 5
done
