#!/bin/sh
# Runs in the container of coturn. Without a word: starts it with turnserver.conf and, from the environment, GENKAN_TURN_SECRET
# (several secrets with spaces between) and TURN_OPTIONS (further lines, likewise). check: ends well if it answers.
set -euf
conf=/run/turn/turnserver.conf
last() { sed -n "s/^$1=//p" "$conf" | tail -n 1; }

if [ "${1:-}" = check ]; then
  address=$(last listening-ip) port=$(last listening-port)
  # A STUN request takes the same way through coturn as an allocation, but holds no relay port for ten minutes.
  exec timeout 3 turnutils_stunclient -p "$port" "${address:-127.0.0.1}" >/dev/null
fi
: "${GENKAN_TURN_SECRET:?is not set: write it into .env, see deploy/README.md}"
umask 077
# A file in memory, because a command line can be read by everyone on the machine. Of two lines with one name the later counts.
{
  cat /etc/coturn/turnserver.conf
  # shellcheck disable=SC2086
  printf 'static-auth-secret=%s\n' $GENKAN_TURN_SECRET
  # shellcheck disable=SC2086
  printf '%s\n' ${TURN_OPTIONS:-}
} >"$conf"
exec turnserver -c "$conf"
