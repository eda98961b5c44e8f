#!/bin/sh
# certificate.sh NAME: creates a self-signed certificate for NAME, for a LAN: /tls/fullchain.pem and /tls/privkey.pem.
# It keeps a certificate from an authority, and a self-signed one for NAME that is valid for 30 more days.
# If TLS_DIR is set, the administrator has a certificate, and this script does nothing.
set -eu
[ -z "${TLS_DIR:-}" ] || exit 0
name=$1
cd /tls
if [ -e fullchain.pem ]; then
  issuer=$(openssl x509 -noout -issuer -in fullchain.pem) subject=$(openssl x509 -noout -subject -in fullchain.pem)
  [ "${issuer#issuer=}" = "${subject#subject=}" ] || exit 0
  if openssl x509 -noout -checkend 2592000 -in fullchain.pem >/dev/null &&
    ! openssl x509 -noout -checkhost "$name" -in fullchain.pem | grep -q 'NOT match'; then
    exit 0
  fi
fi
umask 077
# Browsers accept at most 397 days.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 397 -subj "/CN=$name" \
  -addext "subjectAltName=DNS:$name" -keyout privkey.part -out fullchain.part 2>/dev/null
mv privkey.part privkey.pem
mv fullchain.part fullchain.pem
echo "Created a self-signed certificate for $name. Compare its fingerprint with the one that browsers show:"
openssl x509 -noout -fingerprint -sha256 -in fullchain.pem
