#!/bin/sh
# certificate.sh NAME: makes /tls/fullchain.pem and /tls/privkey.pem, a certificate for NAME that is signed by nobody, for a LAN.
# Left alone: one from elsewhere, and one made here that is for NAME and lives for another 30 days. With TLS_DIR it does nothing.
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
# 397 days are what browsers allow at most.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 397 -subj "/CN=$name" \
  -addext "subjectAltName=DNS:$name" -keyout privkey.part -out fullchain.part 2>/dev/null
mv privkey.part privkey.pem
mv fullchain.part fullchain.pem
echo "A certificate for $name was made. Its fingerprint, to compare with what browsers show:"
openssl x509 -noout -fingerprint -sha256 -in fullchain.pem
