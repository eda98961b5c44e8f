#!/usr/bin/env bash
# nginxes.sh SUITE... — the nginx of other Debian releases, next to the machine's own, for the tests: each suite's nginx with its
# brotli module and its uwsgi_params, curl, and all their libraries, unpacked to $NGINX_CACHE/SUITE and run by their own loader.
# Nothing is installed, and existing directories are kept. `experimental`, which must be the last argument, is the version of sid
# or experimental, if the others do not have it.
#   NGINX_CACHE  where they are kept (default /var/cache/genkan-nginx); remove it to fetch newer versions
# Needs Debian and root.
set -euo pipefail
cache=${NGINX_CACHE:-/var/cache/genkan-nginx}; mkdir -p "$cache"
tmp=$(mktemp -d); trap 'rm -rf --one-file-system "$tmp"' EXIT
find_mirror() { apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -1; }
mirror=$(find_mirror) || { apt-get -qq update && mirror=$(find_mirror); } # without lists apt knows no mirror

in_suite() { # SUITE COMMAND... : an apt of its own, independent of the packages installed here
  local suite=$1 d=$tmp/$1; shift
  "$@" -qq -o Dir::Etc="$d/etc" -o Dir::State="$d/state" -o Dir::State::status="$d/status" -o Dir::Cache="$d/cache" \
    -o APT::Default-Release="$suite" -o APT::Sandbox::User=root \
    -o Acquire::Check-Valid-Until=false -o APT::Update::Error-Mode=any
}
look() { # SUITE : reads its lists
  local d=$tmp/$1 suites=$1
  [ "$1" != experimental ] || suites='sid experimental'
  mkdir -p "$d"/etc/{sources.list.d,preferences.d,apt.conf.d} "$d/state/lists/partial" "$d/cache/archives/partial"; : >"$d/status"
  printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' "$mirror" "$suites" \
    /usr/share/keyrings/debian-archive-keyring.gpg >"$d/etc/sources.list.d/suite.sources"
  in_suite "$1" apt-get update
}
wrapper() { # PROGRAM LOADER : a script that runs it with its own libraries
  cat <<SH
#!/bin/sh
root=\$(dirname "\$(readlink -f "\$0")")
libraries=\$(echo "\$root"/lib/*-linux-gnu "\$root"/usr/lib/*-linux-gnu | tr ' ' :)
exec "\$root/$2" --library-path "\$libraries" --argv0 "${1##*/}" "\$root/$1" "\$@"
SH
}
unpack() { # SUITE : downloads and unpacks what nginx and curl need to run
  local root=$cache/$1.part deb loader program
  in_suite "$1" apt-get install -y --download-only --no-install-recommends nginx libnginx-mod-http-brotli-static curl >/dev/null
  rm -rf "$root"; mkdir -p "$root"
  for deb in "$tmp/$1"/cache/archives/*.deb; do dpkg-deb -x "$deb" "$root"; done
  mv "$root/etc/nginx/uwsgi_params" "$root"
  rm -rf "$root"/{etc,var,usr/share}
  loader=$(cd "$root" && find . -type f -name 'ld-linux*.so.*' | head -1)
  for program in usr/sbin/nginx usr/bin/curl; do
    wrapper "$program" "$loader" >"$root/${program##*/}"
    chmod 755 "$root/${program##*/}"
  done
  "$root/curl" --version >/dev/null
  "$root/nginx" -v 2>"$root/version"
  mv "$root" "$cache/$1"
}
bring() { # SUITE
  [ ! -d "$cache/$1" ] || return 0
  look "$1"
  local version; version=$(in_suite "$1" apt-cache show nginx | sed -n 's/^Version: \([0-9.]*\).*/\1/p' | sort -V | tail -1)
  if [ "$1" = experimental ] && grep -qsx "nginx version: nginx/$version" "$cache"/*/version; then mkdir "$cache/$1"; else unpack "$1"; fi
}
for suite in "$@"; do
  if [ "$suite" = experimental ]; then for job in ${jobs:-}; do wait "$job"; done; jobs=; fi
  bring "$suite" & jobs="${jobs:-} $!"
done
for job in ${jobs:-}; do wait "$job"; done
