#!/bin/sh
# certificate.sh NAME: creates a self-signed certificate for NAME, for a LAN: /tls/fullchain.pem and /tls/privkey.pem.
# NAME is a host name or an IP address; an IPv6 address may be in brackets, as in URLs.
# It keeps a certificate from an authority, and a self-signed one for NAME that is valid for 30 more days.
# If TLS_DIR is set, the administrator has a certificate, and this script does nothing.
set -eu
[ -z "${TLS_DIR:-}" ] || exit 0
name=${1#"["}
name=${name%"]"}
# Browsers compare an IP address only with entries of the type IP. https://www.rfc-editor.org/rfc/rfc9110#section-4.3.5
case $name in
  *:*) type=IP ;;
  *[!0-9.]*) type=DNS ;;
  *.*.*.*) type=IP ;;
  *) type=DNS ;;
esac
[ $type = IP ] && check=-checkip || check=-checkhost
cd /tls
if [ -e fullchain.pem ]; then
  issuer=$(openssl x509 -noout -issuer -in fullchain.pem) subject=$(openssl x509 -noout -subject -in fullchain.pem)
  [ "${issuer#issuer=}" = "${subject#subject=}" ] || exit 0
  if openssl x509 -noout -checkend 2592000 -in fullchain.pem >/dev/null &&
    ! openssl x509 -noout $check "$name" -in fullchain.pem | grep -q 'NOT match'; then
    exit 0
  fi
fi
umask 077
# Browsers accept at most 397 days.
output=$(openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 397 -subj "/CN=$name" \
  -addext "subjectAltName=$type:$name" -keyout privkey.part -out fullchain.part 2>&1) ||
  { printf '%s\n' "$output" "No certificate was created for $name." >&2; exit 1; }
mv privkey.part privkey.pem
mv fullchain.part fullchain.pem
echo "Created a self-signed certificate for $name. Compare its fingerprint with the one that browsers show:"
openssl x509 -noout -fingerprint -sha256 -in fullchain.pem
