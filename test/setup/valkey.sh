#!/usr/bin/env bash
# valkey.sh — installs /usr/local/bin/valkey-server from Debian's packages, without a service: from this release, or if it has
# none (Debian 12) from its backports. Needs Debian, root, and the dependencies of redis-server.
set -euo pipefail
tmp=$(mktemp -d); trap 'rm -rf --one-file-system "$tmp"' EXIT
. /etc/os-release
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -1)
mkdir -p "$tmp/lists/partial" "$tmp/out"
for suite in "$VERSION_CODENAME" "$VERSION_CODENAME-backports"; do echo "deb $mirror $suite main"; done >"$tmp/sources.list"
# Package lists of its own: the machine's are not changed.
own=(-qq -o "Dir::Etc::SourceList=$tmp/sources.list" -o Dir::Etc::SourceParts=/dev/null -o "Dir::State::Lists=$tmp/lists"
  -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o Acquire::Check-Valid-Until=false -o APT::Sandbox::User=root)
apt-get "${own[@]}" update
(cd "$tmp" && apt-get "${own[@]}" download valkey-tools)
dpkg -x "$tmp"/valkey-tools_*.deb "$tmp/out"
# One binary under three names.
install -m 755 "$tmp/out/usr/bin/valkey-check-rdb" /usr/local/bin/valkey-server
valkey-server --version
