/**
 * All faults that the doctor can report: a stable name, a severity and a fix. For nginx the fix names the directive and the generated
 * file that contains it.
 */
import { remedy } from '../nginx/advisories.ts';

/** `blocking`: checks that depend on this one are skipped. */
export type Fault = { level: 'fault' | 'warning'; fix: string; blocking?: true };

export const faults = {
  // Reaching the site.
  'name-unknown': {
    level: 'fault',
    fix: 'Give the name an A record (IPv4), and an AAAA record if the machine has IPv6.',
    blocking: true,
  },
  unreachable: {
    level: 'fault',
    fix: 'Check that the web server runs (systemctl status nginx) and listens there (`listen` in conf.d/genkan.conf), and that the firewall lets connections in.',
    blocking: true,
  },
  'address-dead': {
    level: 'fault',
    fix: 'Let the web server listen on this address too (`listen [::]:443` next to `listen 443` in conf.d/genkan.conf; genkan nginx --address), open the firewall, or remove the DNS record.',
  },
  'tls-broken': {
    level: 'fault',
    fix: 'Enable TLS on this port, for this name: `listen 443 ssl`, `server_name` in conf.d/genkan.conf, and snippets/genkan-tls.conf (genkan nginx --mode tls).',
    blocking: true,
  },
  'no-tls': {
    level: 'fault',
    fix: 'Browsers allow camera and microphone only on https:// pages: genkan nginx --mode tls, or a proxy with a certificate in front.',
  },
  'tls-old': { level: 'warning', fix: 'Set `ssl_protocols TLSv1.2 TLSv1.3` in snippets/genkan-tls.conf.' },
  'certificate-expired': {
    level: 'fault',
    fix: 'Renew the certificate that `ssl_certificate` in snippets/genkan-tls.conf names, then nginx -s reload: nginx reads it only then.',
  },
  'certificate-ends-soon': {
    level: 'warning',
    fix: 'Renew the certificate (certbot renew), check why automatic renewal failed, then nginx -s reload.',
  },
  'certificate-not-yet-valid': {
    level: 'fault',
    fix: 'Correct the clocks, here and where the certificate was issued.',
  },
  'certificate-name': {
    level: 'fault',
    fix: 'Get a certificate for this name, and set its files in `ssl_certificate` and `ssl_certificate_key` (snippets/genkan-tls.conf). If they are set, check `server_name`: another site answers.',
  },
  'certificate-self-signed': {
    level: 'fault',
    fix: 'Get a certificate from an authority that browsers trust. In a private network, install it on every machine and pass it to the doctor with --ca.',
  },
  'certificate-chain': {
    level: 'fault',
    fix: '`ssl_certificate` in snippets/genkan-tls.conf must name the file with the full chain (fullchain.pem, not cert.pem). If it does, the authority is unknown: pass a private authority to the doctor with --ca.',
  },
  'certificate-untrusted': {
    level: 'fault',
    fix: 'Get a certificate from an authority that browsers trust; pass a private authority to the doctor with --ca.',
  },
  'token-kept': {
    level: 'warning',
    fix: 'Fix the certificate first, or omit --token to run the checks that need none.',
    blocking: true,
  },
  'no-redirect': {
    level: 'warning',
    fix: 'Add `return 308 https://$host$request_uri` to a server block for port 80 (conf.d/genkan.conf of genkan nginx --mode tls).',
  },
  // What the site serves.
  'site-closed': {
    level: 'fault',
    fix: 'The operator has closed the site to new visitors: remove the file that snippets/genkan-maintenance.conf names, by default /run/genkan-maintenance.',
    blocking: true,
  },
  'app-down': {
    level: 'fault',
    fix: 'Check that the app runs (genkan status) and listens where nginx connects: `set $genkan_app …` in snippets/genkan-app.conf, the servers in snippets/genkan-workers.conf. Over TCP, --allow-from must allow nginx.',
    blocking: true,
  },
  'host-refused': {
    level: 'fault',
    fix: 'Add the name to `server_name` in conf.d/genkan.conf and to --allowed-hosts, and forward it: `proxy_set_header Host $genkan_host` (snippets/genkan-app.conf) or `uwsgi_param HTTP_HOST $genkan_host` (snippets/genkan-uwsgi-params.conf).',
    blocking: true,
  },
  'too-many': {
    level: 'fault',
    fix: 'Try again in a minute. If it persists, `limit_req` and `limit_conn` in snippets/genkan-app.conf are too low, or all visitors share one address.',
    blocking: true,
  },
  'path-wrong': {
    level: 'fault',
    fix: "Pass everything below the path to the app unchanged, and tell the app the path: `uwsgi_param SCRIPT_NAME '/meet'` (snippets/genkan-uwsgi-params.conf) or `proxy_set_header X-Forwarded-Prefix '/meet'` (snippets/genkan-app.conf); genkan nginx --base /meet/ writes it.",
    blocking: true,
  },
  'not-genkan': {
    level: 'fault',
    fix: 'Another service answers under this name and path: check `server_name` in conf.d/genkan.conf, the `location` of snippets/genkan-app.conf and its base (genkan nginx --base).',
    blocking: true,
  },
  'prefix-lost': {
    level: 'fault',
    fix: "Tell the app its path: `uwsgi_param SCRIPT_NAME '/meet'` (snippets/genkan-uwsgi-params.conf) or `proxy_set_header X-Forwarded-Prefix '/meet'` (snippets/genkan-app.conf); other front ends: the header X-Forwarded-Prefix.",
  },
  'page-missing': {
    level: 'fault',
    fix: 'Route `location /` (or the base) to the app: snippets/genkan-app.conf.',
  },
  'mixed-content': {
    level: 'fault',
    fix: 'Browsers load nothing over http: into an https: page. A proxy in between rewrites addresses (`sub_filter`, `proxy_redirect`): remove that.',
  },
  'script-missing': {
    level: 'fault',
    fix: '`root` or `alias` in snippets/genkan-static.conf must name the directory that holds js/ of the running build (genkan nginx --root); or let the app serve /js.',
  },
  'script-type': {
    level: 'fault',
    fix: 'Set `types { text/javascript js mjs; text/css css; … }` in snippets/genkan-static.conf; other front ends: the type by file name.',
  },
  'static-falls-through': {
    level: 'fault',
    fix: 'Use `try_files $uri =404` in snippets/genkan-static.conf, without a fallback to a page: browsers would take that for a script.',
  },
  'static-by-app': {
    level: 'warning',
    fix: 'Include snippets/genkan-static.conf in the server block: files then come from disk, and requests for missing files do not reach the app.',
  },
  'page-cached': {
    level: 'fault',
    fix: 'The page names scripts that an upgrade replaces: use no `expires` and no `add_header Cache-Control` in snippets/genkan-app.conf, so that the app’s own no-cache applies.',
  },
  'missing-cached': {
    level: 'fault',
    fix: 'Use `add_header Cache-Control $genkan_cache` in snippets/genkan-static.conf without `always`, or browsers cache a 404.',
  },
  'script-not-cached': {
    level: 'warning',
    fix: 'Use `add_header Cache-Control $genkan_cache` in snippets/genkan-static.conf, with the map in snippets/genkan-maps.conf.',
  },
  'api-cached': {
    level: 'fault',
    fix: 'Use no `expires` and no `add_header Cache-Control` in snippets/genkan-app.conf: a room’s responses are for one peer, once.',
  },
  'headers-missing': {
    level: 'fault',
    fix: 'Add `include snippets/genkan-headers.conf;` to every location: one that has an `add_header` of its own inherits none.',
  },
  'headers-twice': {
    level: 'fault',
    fix: 'Browsers enforce both policies, the stricter in each point: hide one (`uwsgi_hide_header`, `proxy_hide_header` in snippets/genkan-headers.conf), or remove the other `add_header`.',
  },
  'camera-forbidden': {
    level: 'fault',
    fix: 'Set `add_header Permissions-Policy "camera=(self), microphone=(self), display-capture=(self), …"` in snippets/genkan-headers.conf; ready-made header sets often forbid these.',
  },
  'operations-public': {
    level: 'fault',
    fix: 'Add `include snippets/genkan-private.conf;` to the server block; other front ends: return 404 for /healthz, /readyz, /metrics and /stats.',
  },
  'nginx-old': {
    level: 'warning',
    fix: 'Upgrade nginx: `genkan nginx` does not support this version, and it is untested.',
  },
  'nginx-faulty': {
    level: 'warning',
    fix: `${remedy} \`server_tokens off\` in the server block hides the version.`,
  },
  // What the app receives.
  'host-lost': {
    level: 'fault',
    fix: 'Set `proxy_set_header Host $genkan_host` and `X-Forwarded-Host $genkan_host` (snippets/genkan-app.conf) or `uwsgi_param HTTP_HOST $genkan_host` (snippets/genkan-uwsgi-params.conf), with the port if there is one ($http_host, not $host); other front ends: pass the Host header on unchanged.',
  },
  'port-lost': {
    level: 'fault',
    fix: 'Chromium’s WebSockets are rejected. Every proxy in between must pass on Host with the port that browsers request: `$http_host`, or from nginx 1.29.3 on `$host$is_request_port$request_port`, and not `$host`. Debian’s own uwsgi_params and proxy_params contain `uwsgi_param HTTP_HOST $host` and `proxy_set_header Host $host`: change that line in a copy, or include snippets/genkan-uwsgi-params.conf. Or send the header X-Forwarded-Port.',
  },
  'origin-lost': {
    level: 'fault',
    fix: 'Pass the Origin header on unchanged: no `proxy_set_header Origin …`, no `uwsgi_param HTTP_ORIGIN …`.',
  },
  'scheme-lost': {
    level: 'warning',
    fix: 'Set `proxy_set_header X-Forwarded-Proto $scheme` (snippets/genkan-app.conf) or `uwsgi_param REQUEST_SCHEME $scheme` (snippets/genkan-uwsgi-params.conf); behind another proxy: genkan nginx --mode behind-proxy --trusted-proxy NETWORK.',
  },
  'client-lost': {
    level: 'fault',
    fix: 'Set `proxy_set_header X-Forwarded-For $remote_addr` (snippets/genkan-app.conf) or `uwsgi_param REMOTE_ADDR $remote_addr` (snippets/genkan-uwsgi-params.conf); behind another proxy: `set_real_ip_from` with its network (snippets/genkan-real-ip.conf; genkan nginx --mode behind-proxy --trusted-proxy). Otherwise limits per address apply to all visitors together.',
  },
  'client-unsteady': {
    level: 'warning',
    fix: 'If this machine has only one route out, the address of one of several proxies is taken for the client’s: list all of them in `set_real_ip_from` (snippets/genkan-real-ip.conf) or --trusted-proxies.',
  },
  'client-forgeable': {
    level: 'fault',
    fix: 'The front end must replace what a client claims about itself: `proxy_set_header X-Forwarded-For $remote_addr`, X-Forwarded-Proto, -Host, -Prefix, X-Real-IP and Forwarded likewise (snippets/genkan-app.conf), the same as uwsgi_param (snippets/genkan-uwsgi-params.conf). In `set_real_ip_from` and --trusted-proxies list proxies, never whole private networks.',
  },
  'listener-for-browsers': {
    level: 'fault',
    fix: 'The front end connects to --http, which is for browsers and trusts no proxy: give the app --http-socket or --socket, and nginx that address.',
  },
  'body-limit': {
    level: 'fault',
    fix: 'Set `client_max_body_size 1m` in the location of messages in snippets/genkan-app.conf, the same as --limit-post; other front ends: their request body limit.',
  },
  'clock-skew': {
    level: 'warning',
    fix: 'Synchronise both clocks by NTP (timedatectl): the validity of tokens and TURN credentials depends on them.',
  },
  // WebSockets, messages, event streams and polls.
  'upgrade-lost': {
    level: 'fault',
    fix: 'Set `proxy_http_version 1.1`, `proxy_set_header Upgrade $http_upgrade` and `proxy_set_header Connection $genkan_connection` in snippets/genkan-app.conf; with uwsgi_pass, no `uwsgi_param HTTP_UPGRADE` of your own; other front ends: let WebSockets through below /rooms/. Until then calls use plain HTTP, which is slower.',
    blocking: true,
  },
  'websocket-refused': {
    level: 'fault',
    fix: 'Something in front of the app rejects the handshake: a filter, a limit (`limit_req`, `limit_conn` in snippets/genkan-app.conf), or a location other than that of snippets/genkan-app.conf.',
    blocking: true,
  },
  'websocket-mute': {
    level: 'fault',
    fix: 'A proxy in between buffers WebSocket messages: `uwsgi_buffering off` or `proxy_buffering off` (snippets/genkan-app.conf); other front ends: tunnel WebSockets instead of treating them as a response.',
    blocking: true,
  },
  'origin-refused': {
    level: 'fault',
    fix: 'Host and Origin must reach the app unchanged (see host-lost), or --allowed-origins must list the page’s origin.',
    blocking: true,
  },
  'entry-refused': {
    level: 'warning',
    fix: 'Give the doctor what a visitor would have: --token (genkan token --room "doctor-*" --role host), --room.',
    blocking: true,
  },
  'rooms-split': {
    level: 'fault',
    fix: 'All requests for a room must go to the same worker: `hash $genkan_room consistent` in snippets/genkan-workers.conf (genkan nginx with several --upstream); other front ends: hash by NAME in the path /rooms/NAME, the same way on each of them.',
    blocking: true,
  },
  'message-lost': {
    level: 'fault',
    fix: 'The peers see each other, but their messages do not arrive: check the app’s log for this room.',
    blocking: true,
  },
  'stream-buffered': {
    level: 'fault',
    fix: 'Set `uwsgi_buffering off` or `proxy_buffering off` in snippets/genkan-app.conf, no `ignore_headers X-Accel-Buffering`, no compression of text/event-stream; other front ends: forward each part of a response as it arrives.',
  },
  'stream-refused': {
    level: 'fault',
    fix: 'Let responses of type text/event-stream through: snippets/genkan-app.conf.',
  },
  'poll-cut': {
    level: 'fault',
    fix: 'Set `uwsgi_read_timeout 80s` or `proxy_read_timeout 80s` in snippets/genkan-app.conf; other front ends: a response timeout longer than --poll-wait (25 s).',
  },
  'idle-cut': {
    level: 'fault',
    fix: 'Set `uwsgi_read_timeout 80s` or `proxy_read_timeout 80s` in snippets/genkan-app.conf; other front ends and load balancers: an idle timeout above 75 s. The app pings every --ping-interval seconds, which keeps a connection open only if the timeout is longer than that.',
  },
  // STUN and TURN.
  'no-turn': {
    level: 'warning',
    fix: 'Calls between restrictive networks need a relay: --turn-url and --turn-secret (deploy/docs/turn.md). A LAN needs none.',
  },
  'ice-unreachable': {
    level: 'fault',
    fix: 'Check that the STUN/TURN server runs, at this address and port, and that the firewall allows UDP and TCP 3478 and TLS 5349: deploy/docs/turn.md#open-the-firewall; `listening-port`, `relay-ip` in deploy/turnserver.conf.',
  },
  'turn-tls': {
    level: 'fault',
    fix: 'Set `cert` and `pkey` in deploy/turnserver.conf: a certificate for the name in --turn-url, with its chain.',
  },
  'turn-credential': {
    level: 'fault',
    fix: '`static-auth-secret` of the TURN server (deploy/turnserver.conf, GENKAN_TURN_SECRET) must equal --turn-secret, and both clocks must be right.',
  },
  'turn-expired': {
    level: 'fault',
    fix: 'The app’s clock or this one is wrong, or --turn-ttl is too short: synchronise the clocks by NTP (timedatectl).',
  },
  'turn-refused': {
    level: 'fault',
    fix: 'The TURN server accepts the credential but allocates no relay: see its log for the reason; `total-quota`, `user-quota`, `relay-ip`, `min-port` and `max-port` in deploy/turnserver.conf.',
  },
  // Anything else.
  unanswered: {
    level: 'fault',
    fix: 'Check the logs of the front end (/var/log/nginx/error.log) and of the app for this time.',
  },
} as const satisfies Record<string, Fault>;

export type FaultName = keyof typeof faults;
