#!/bin/sh
# Runs in the container of coturn.
#   turn.sh        starts coturn with turnserver.conf, GENKAN_TURN_SECRET (one or more secrets) and TURN_OPTIONS (further lines);
#                  both variables are separated by spaces
#   turn.sh check  health check: exits with 0 if coturn responds
set -euf
conf=/run/turn/turnserver.conf
last() { sed -n "s/^$1=//p" "$conf" | tail -n 1; }

if [ "${1:-}" = check ]; then
  address=$(last listening-ip) port=$(last listening-port)
  # A STUN request takes the same path through coturn as an allocation, but does not occupy a relay port for ten minutes.
  exec timeout 3 turnutils_stunclient -p "$port" "${address:-127.0.0.1}" >/dev/null
fi
: "${GENKAN_TURN_SECRET:?is not set: write it into .env, see deploy/docs/turn.md}"
umask 077
# The secret goes into a file in memory, because every user of the machine can read command lines. The last line with a name wins.
{
  cat /etc/coturn/turnserver.conf
  # shellcheck disable=SC2086
  printf 'static-auth-secret=%s\n' $GENKAN_TURN_SECRET
  # shellcheck disable=SC2086
  printf '%s\n' ${TURN_OPTIONS:-}
} >"$conf"
exec turnserver -c "$conf"
