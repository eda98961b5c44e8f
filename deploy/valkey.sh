#!/bin/sh
# The store of several apps. Without a word: starts Valkey for the user genkan with the password GENKAN_STORE_PASSWORD; VALKEY_OPTIONS
# are further words for its command line, which win. config: prints the configuration instead. check: ends well if it answers.
set -euf

config() {
  : "${GENKAN_STORE_PASSWORD:?is not set: write it into .env, see deploy/README.md}"
  cat <<END
# What was acknowledged is in a file before the answer goes out, and on the disk a second later; default off.
# https://valkey.io/topics/persistence/
appendonly yes
save ""
# (!) Full, it refuses, and Genkan says store-unavailable; one that evicts would lose rooms. Default: no limit.
maxmemory 256mb
maxmemory-policy noeviction
# Others than this machine may connect, since without a user they can do nothing but PING. https://valkey.io/topics/acl/
protected-mode no
user default on nopass resetkeys resetchannels -@all +ping
$(cat "${0%/*}/valkey.acl") #$(printf %s "$GENKAN_STORE_PASSWORD" | sha256sum | cut -d ' ' -f 1)
END
}

case ${1:-} in
  check) [ "$(timeout 3 valkey-cli ping)" = PONG ] ;;
  config) config ;;
  *)
    settings=$(config)
    # By standard input, because a command line can be read by everyone on the machine.
    # shellcheck disable=SC2086
    exec valkey-server - --dir /data ${VALKEY_OPTIONS:-} <<END
$settings
END
    ;;
esac
