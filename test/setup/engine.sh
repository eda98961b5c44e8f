#!/usr/bin/env bash
# engine.sh install|start|stop — a Docker engine with compose and buildx for the tests, on Debian as root.
# start does nothing if an engine is running; stop ends only the engine that start started, by its PID.
#   ENGINE_DIR  the engine's log, and the PID of an engine started here (default /var/tmp/genkan-engine)
set -euo pipefail
dir=${ENGINE_DIR:-/var/tmp/genkan-engine} pidfile=/var/run/docker.pid
suite=forky # bookworm's engine is too old for `healthcheck.start_interval`, and bookworm has no compose v2

answers() { timeout 10 docker version --format '{{.Server.Version}}' 2>/dev/null; }
# A zombie counts as ended: where process 1 does not reap, it keeps its PID.
alive() { [ -n "${1:-}" ] && [ "$(cat "/proc/$1/comm" 2>/dev/null)" = "$2" ] && ! grep -q '^State:.Z' "/proc/$1/status"; }

install_engine() {
  export DEBIAN_FRONTEND=noninteractive
  local apt=(apt-get -qq -o DPkg::Lock::Timeout=300) mirror names newer='docker-compose docker-buildx'
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -1)
  if answers >/dev/null; then names=$newer; else names="docker.io docker-cli containerd $newer"; newer="$names tini-static"; fi
  # The newer suite is used only for the packages named here; libc and runc stay this release's.
  printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nCheck-Valid-Until: no\nSigned-By: %s\n' "$mirror" "$suite" \
    /usr/share/keyrings/debian-archive-keyring.gpg >/etc/apt/sources.list.d/genkan-engine.sources
  printf 'Package: *\nPin: release n=%s\nPin-Priority: -1\n\nPackage: %s\nPin: release n=%s\nPin-Priority: 990\n' "$suite" "$newer" "$suite" \
    >/etc/apt/preferences.d/genkan-engine
  "${apt[@]}" update
  # shellcheck disable=SC2086
  "${apt[@]}" install -y --no-install-recommends $names iptables ca-certificates >/dev/null
}
start_engine() {
  if answers >/dev/null; then return; fi
  mkdir -p "$dir"
  local pid f=/var/run/docker/containerd/containerd.pid
  # Leftovers of a killed engine would keep the new one from starting.
  alive "$(cat "$pidfile" 2>/dev/null)" dockerd || rm -f "$pidfile"
  alive "$(cat "$f" 2>/dev/null)" containerd || rm -f "$f"
  setsid nohup "$(command -v dockerd || echo /usr/sbin/dockerd)" --pidfile "$pidfile" >"$dir/dockerd.log" 2>&1 </dev/null &
  pid=$!
  for _ in $(seq 120); do
    if answers >/dev/null; then cp "$pidfile" "$dir/started"; return; fi
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.5
  done
  echo 'the Docker engine did not come up; the end of its log:' >&2
  tail -n 20 "$dir/dockerd.log" >&2
  return 1
}
stop_engine() {
  local pid; pid=$(cat "$dir/started" 2>/dev/null || true)
  if alive "$pid" dockerd; then kill -TERM "$pid"; for _ in $(seq 60); do alive "$pid" dockerd || break; sleep 0.5; done; fi
  ! alive "$pid" dockerd || { echo "the Docker engine, process $pid, did not stop within 30 s" >&2; return 1; }
  rm -f "$dir/started"
}
case ${1:-} in
  install) install_engine ;; start) start_engine ;; stop) stop_engine ;;
  *) sed -n 2,4p "$0"; exit 2 ;;
esac
