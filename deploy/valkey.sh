#!/bin/sh
# Valkey as the store of several apps, with the user genkan and the password GENKAN_STORE_PASSWORD.
#   valkey.sh         starts Valkey; VALKEY_OPTIONS are further arguments, which override the configuration below
#   valkey.sh config  prints the configuration
#   valkey.sh check   health check: exits with 0 if Valkey responds
set -euf

config() {
  : "${GENKAN_STORE_PASSWORD:?is not set: write it into .env, see deploy/docs/valkey.md}"
  cat <<END
# Each change is written to a file before the reply, and the file is synced to disk within a second; default off.
# https://valkey.io/topics/persistence/
appendonly yes
save ""
# (!) When the memory is full, Valkey refuses writes, and Genkan reports store-unavailable. With eviction, rooms would be lost.
# Default: no limit.
maxmemory 256mb
maxmemory-policy noeviction
# Other machines may connect: without the user genkan they can only PING. https://valkey.io/topics/acl/
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
    # By standard input, because every user of the machine can read command lines.
    # shellcheck disable=SC2086
    exec valkey-server - --dir /data ${VALKEY_OPTIONS:-} <<END
$settings
END
    ;;
esac
