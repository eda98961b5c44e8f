/**
 * Everything that the doctor may find: a stable name, how bad it is, and what to change. For nginx that is the directive, and the file
 * of ours that has it.
 */

/** `ends`: what leans on this check is not worth trying. */
export type Fault = { level: 'fault' | 'warning'; fix: string; ends?: true };

export const faults = {
  // The way to the site.
  'name-unknown': {
    level: 'fault',
    fix: 'Give the name an A record (IPv4), and an AAAA record if the machine has IPv6.',
    ends: true,
  },
  unreachable: {
    level: 'fault',
    fix: 'Look whether the web server runs (systemctl status nginx), listens there (`listen` in conf.d/genkan.conf), and the firewall lets it be reached.',
    ends: true,
  },
  'address-dead': {
    level: 'fault',
    fix: 'Let the web server listen there too (`listen [::]:443` beside `listen 443` in conf.d/genkan.conf; genkan nginx --address), open the firewall, or take the record out of the DNS.',
  },
  'tls-broken': {
    level: 'fault',
    fix: 'Let the web server speak TLS on this port, for this name: `listen 443 ssl`, `server_name` in conf.d/genkan.conf, and snippets/genkan-tls.conf (genkan nginx --mode tls).',
    ends: true,
  },
  'no-tls': {
    level: 'fault',
    fix: 'Browsers give camera and microphone to https:// pages alone: genkan nginx --mode tls, or a proxy with a certificate in front.',
  },
  'tls-old': { level: 'warning', fix: '`ssl_protocols TLSv1.2 TLSv1.3` in snippets/genkan-tls.conf.' },
  'certificate-expired': {
    level: 'fault',
    fix: 'Renew the certificate that `ssl_certificate` in snippets/genkan-tls.conf names, and nginx -s reload: nginx reads it only then.',
  },
  'certificate-ends-soon': {
    level: 'warning',
    fix: 'Renew the certificate (certbot renew), look why it was not renewed by itself, and nginx -s reload.',
  },
  'certificate-not-yet-valid': {
    level: 'fault',
    fix: 'Set the clocks right, here and where the certificate was made.',
  },
  'certificate-name': {
    level: 'fault',
    fix: 'Get a certificate for this name, and name its files in `ssl_certificate` and `ssl_certificate_key` (snippets/genkan-tls.conf); if it is there, look at `server_name`: another site answers.',
  },
  'certificate-self-signed': {
    level: 'fault',
    fix: 'Get a certificate from an authority that browsers know. In a network of your own: install it on every machine, and give it to the doctor by --ca.',
  },
  'certificate-chain': {
    level: 'fault',
    fix: '`ssl_certificate` in snippets/genkan-tls.conf must name the file with the whole chain (fullchain.pem, not cert.pem). If it does, nobody knows who made it: give an authority of your own to the doctor by --ca.',
  },
  'certificate-untrusted': {
    level: 'fault',
    fix: 'Get a certificate from an authority that browsers know; give one of your own to the doctor by --ca.',
  },
  'token-kept': {
    level: 'warning',
    fix: 'Put the certificate right first, or leave --token out to try what can be tried without.',
    ends: true,
  },
  'no-redirect': {
    level: 'warning',
    fix: '`return 308 https://$host$request_uri` in a server block for port 80 (conf.d/genkan.conf of genkan nginx --mode tls).',
  },
  // What is there.
  'site-closed': {
    level: 'fault',
    fix: 'The operator has closed it to newcomers: remove the file that snippets/genkan-maintenance.conf names, /run/genkan-maintenance at first.',
    ends: true,
  },
  'app-down': {
    level: 'fault',
    fix: 'Look whether the app runs (genkan status), and listens where nginx looks for it: `set $genkan_app …` in snippets/genkan-app.conf, the servers in snippets/genkan-workers.conf. Over TCP it must be let in: --allow-from.',
    ends: true,
  },
  'host-refused': {
    level: 'fault',
    fix: 'Add the name to `server_name` in conf.d/genkan.conf and to --allowed-hosts, and pass it on: `proxy_set_header Host $genkan_host` (snippets/genkan-app.conf) or `uwsgi_param HTTP_HOST $genkan_host` (snippets/genkan-uwsgi-params.conf).',
    ends: true,
  },
  'too-many': {
    level: 'fault',
    fix: 'Try again in a minute; if it stays, `limit_req` and `limit_conn` in snippets/genkan-app.conf are too small, or all visitors have one address.',
    ends: true,
  },
  'path-wrong': {
    level: 'fault',
    fix: "Let everything below the path go to the app unchanged, and tell it the path: `uwsgi_param SCRIPT_NAME '/meet'` (snippets/genkan-uwsgi-params.conf) or `proxy_set_header X-Forwarded-Prefix '/meet'` (snippets/genkan-app.conf); genkan nginx --base /meet/ writes it.",
    ends: true,
  },
  'not-genkan': {
    level: 'fault',
    fix: 'Something else answers under this name and path: `server_name` in conf.d/genkan.conf, the `location` of snippets/genkan-app.conf and its base (genkan nginx --base).',
    ends: true,
  },
  'prefix-lost': {
    level: 'fault',
    fix: "Tell the app below which path it lies: `uwsgi_param SCRIPT_NAME '/meet'` (snippets/genkan-uwsgi-params.conf) or `proxy_set_header X-Forwarded-Prefix '/meet'` (snippets/genkan-app.conf); other front ends: the header X-Forwarded-Prefix.",
  },
  'page-missing': {
    level: 'fault',
    fix: 'Let `location /` (or the base) go to the app: snippets/genkan-app.conf.',
  },
  'mixed-content': {
    level: 'fault',
    fix: 'Browsers load nothing by http: into an https: page. Something between rewrites addresses (`sub_filter`, `proxy_redirect`): take it out.',
  },
  'script-missing': {
    level: 'fault',
    fix: '`root` or `alias` in snippets/genkan-static.conf must name the directory that holds js/ of the build that runs (genkan nginx --root); or leave /js to the app.',
  },
  'script-type': {
    level: 'fault',
    fix: '`types { text/javascript js mjs; text/css css; … }` in snippets/genkan-static.conf; other front ends: the type by the name of the file.',
  },
  'static-falls-through': {
    level: 'fault',
    fix: '`try_files $uri =404` in snippets/genkan-static.conf, without a fallback to a page: browsers would take that for a script.',
  },
  'static-by-app': {
    level: 'warning',
    fix: 'Include snippets/genkan-static.conf in the server block: files then come from disk and a missing one costs the app nothing.',
  },
  'page-cached': {
    level: 'fault',
    fix: 'The page names scripts that an upgrade replaces: no `expires` and no `add_header Cache-Control` in snippets/genkan-app.conf, so that the app’s own no-cache holds.',
  },
  'missing-cached': {
    level: 'fault',
    fix: '`add_header Cache-Control $genkan_cache` in snippets/genkan-static.conf without `always`, or what was missing once stays missing.',
  },
  'script-not-cached': {
    level: 'warning',
    fix: '`add_header Cache-Control $genkan_cache` in snippets/genkan-static.conf, with the map in snippets/genkan-maps.conf.',
  },
  'api-cached': {
    level: 'fault',
    fix: 'No `expires` and no `add_header Cache-Control` in snippets/genkan-app.conf: what a room says is for one peer, once.',
  },
  'headers-missing': {
    level: 'fault',
    fix: '`include snippets/genkan-headers.conf;` in every location: one `add_header` of its own makes a location lose all that stand above it.',
  },
  'headers-twice': {
    level: 'fault',
    fix: 'Of two policies the stricter holds in each point: hide one (`uwsgi_hide_header`, `proxy_hide_header` in snippets/genkan-headers.conf), or take the other `add_header` out.',
  },
  'camera-forbidden': {
    level: 'fault',
    fix: '`add_header Permissions-Policy "camera=(self), microphone=(self), display-capture=(self), …"` in snippets/genkan-headers.conf; ready-made header sets forbid these.',
  },
  'operations-public': {
    level: 'fault',
    fix: '`include snippets/genkan-private.conf;` in the server block; other front ends: 404 for /healthz, /readyz, /metrics and /stats.',
  },
  'nginx-old': {
    level: 'warning',
    fix: 'Upgrade nginx: `genkan nginx` writes nothing for it, and nobody has tried it.',
  },
  'nginx-faulty': {
    level: 'warning',
    fix: 'Use nginx 1.30.6 or later, or see that your distribution has mended it without a new number. `server_tokens off` in the server block keeps the number from strangers.',
  },
  // What the app is told.
  'host-lost': {
    level: 'fault',
    fix: '`proxy_set_header Host $genkan_host` and `X-Forwarded-Host $genkan_host` (snippets/genkan-app.conf) or `uwsgi_param HTTP_HOST $genkan_host` (snippets/genkan-uwsgi-params.conf), with the port if there is one ($http_host, not $host); other front ends: pass the Host header on as it is.',
  },
  'port-lost': {
    level: 'fault',
    fix: 'Chromium’s WebSockets are refused. On every proxy between, pass Host on with the port that browsers ask for: `$http_host`, or from nginx 1.29.3 on `$host$is_request_port$request_port`, and not `$host`: Debian’s own uwsgi_params and proxy_params say `uwsgi_param HTTP_HOST $host` and `proxy_set_header Host $host`; change that line in a copy, or include snippets/genkan-uwsgi-params.conf. Or send the header X-Forwarded-Port.',
  },
  'origin-lost': {
    level: 'fault',
    fix: 'Pass the Origin header on as it is: no `proxy_set_header Origin …`, no `uwsgi_param HTTP_ORIGIN …`.',
  },
  'scheme-lost': {
    level: 'warning',
    fix: '`proxy_set_header X-Forwarded-Proto $scheme` (snippets/genkan-app.conf) or `uwsgi_param REQUEST_SCHEME $scheme` (snippets/genkan-uwsgi-params.conf); behind another proxy genkan nginx --mode behind-proxy --trusted-proxy NETWORK.',
  },
  'client-lost': {
    level: 'fault',
    fix: '`proxy_set_header X-Forwarded-For $remote_addr` (snippets/genkan-app.conf) or `uwsgi_param REMOTE_ADDR $remote_addr` (snippets/genkan-uwsgi-params.conf); behind another proxy `set_real_ip_from` with its network (snippets/genkan-real-ip.conf; genkan nginx --mode behind-proxy --trusted-proxy). Limits by address hit everybody at once otherwise.',
  },
  'client-unsteady': {
    level: 'warning',
    fix: 'If this machine has only one way out: the address of one of several proxies is taken for the client’s; name all of them in `set_real_ip_from` (snippets/genkan-real-ip.conf), --trusted-proxies.',
  },
  'client-forgeable': {
    level: 'fault',
    fix: 'The front end must replace what a client says of itself: `proxy_set_header X-Forwarded-For $remote_addr`, X-Forwarded-Proto, -Host, -Prefix, X-Real-IP and Forwarded likewise (snippets/genkan-app.conf), the same as uwsgi_param (snippets/genkan-uwsgi-params.conf). In `set_real_ip_from` and --trusted-proxies name proxies, never whole private networks.',
  },
  'listener-for-browsers': {
    level: 'fault',
    fix: 'The front end connects to --http, which is for browsers and believes nobody: give the app --http-socket or --socket, and nginx that address.',
  },
  'body-limit': {
    level: 'fault',
    fix: '`client_max_body_size 1m` in snippets/genkan-app.conf, as much as --limit-post; other front ends: their limit of a request body.',
  },
  'clock-skew': {
    level: 'warning',
    fix: 'Let both machines keep their clocks by NTP (timedatectl): tokens and TURN credentials begin and end by them.',
  },
  // Conversations.
  'upgrade-lost': {
    level: 'fault',
    fix: '`proxy_http_version 1.1`, `proxy_set_header Upgrade $http_upgrade` and `proxy_set_header Connection $genkan_connection` in snippets/genkan-app.conf; with uwsgi_pass no `uwsgi_param HTTP_UPGRADE` of your own; other front ends: let WebSockets pass below /rooms/. Calls go on by plain HTTP meanwhile, slower.',
    ends: true,
  },
  'websocket-refused': {
    level: 'fault',
    fix: 'Something before the app refuses the handshake: a filter, a limit (`limit_req`, `limit_conn` in snippets/genkan-app.conf), or a location that is not the one of snippets/genkan-app.conf.',
    ends: true,
  },
  'websocket-mute': {
    level: 'fault',
    fix: 'What lies between keeps the messages of WebSockets back: `uwsgi_buffering off` or `proxy_buffering off` (snippets/genkan-app.conf); other front ends: WebSockets as a tunnel, not as an answer.',
    ends: true,
  },
  'origin-refused': {
    level: 'fault',
    fix: 'Host and Origin must reach the app unchanged (see host-lost), or the page’s origin be named by --allowed-origins.',
    ends: true,
  },
  'entry-refused': {
    level: 'warning',
    fix: 'Give the doctor what a visitor would have: --token (genkan token --room "doctor-*" --role host), --room.',
    ends: true,
  },
  'rooms-split': {
    level: 'fault',
    fix: 'Each room must go to one worker: `hash $genkan_room consistent` in snippets/genkan-workers.conf (genkan nginx with several --upstream); other front ends: hash by the third part of the path, /rooms/NAME, on every one of them.',
    ends: true,
  },
  'message-lost': {
    level: 'fault',
    fix: 'The peers see each other, and what they say does not arrive: look in the app’s log for this room.',
    ends: true,
  },
  'stream-buffered': {
    level: 'fault',
    fix: '`uwsgi_buffering off` or `proxy_buffering off` in snippets/genkan-app.conf, no `ignore_headers X-Accel-Buffering`, no compression of text/event-stream; other front ends: hand on each part of an answer as it comes.',
  },
  'stream-refused': {
    level: 'fault',
    fix: 'Let answers of the type text/event-stream pass: snippets/genkan-app.conf.',
  },
  'poll-cut': {
    level: 'fault',
    fix: '`uwsgi_read_timeout 80s` or `proxy_read_timeout 80s` in snippets/genkan-app.conf; other front ends: wait longer for an answer than --poll-wait (25 s).',
  },
  'idle-cut': {
    level: 'fault',
    fix: '`uwsgi_read_timeout 80s` or `proxy_read_timeout 80s` in snippets/genkan-app.conf; other front ends and load balancers: their idle timeout above 75 s. The app pings every --ping-interval seconds, which keeps a connection open only where the limit is longer than that.',
  },
  // STUN and TURN.
  'no-turn': {
    level: 'warning',
    fix: 'Calls between strict networks need a relay: --turn-url and --turn-secret (deploy/README.md, TURN). A LAN needs none.',
  },
  'ice-unreachable': {
    level: 'fault',
    fix: 'Look whether the STUN/TURN server runs, at this address and port, and whether the firewall lets UDP and TCP 3478 and TLS 5349 in: deploy/README.md, Firewall; `listening-port`, `relay-ip` in deploy/turnserver.conf.',
  },
  'turn-tls': {
    level: 'fault',
    fix: '`cert` and `pkey` in deploy/turnserver.conf: a certificate for the name in --turn-url, with its chain.',
  },
  'turn-credential': {
    level: 'fault',
    fix: '`static-auth-secret` of the TURN server (deploy/turnserver.conf, GENKAN_TURN_SECRET) must be --turn-secret, and both clocks be right.',
  },
  'turn-expired': {
    level: 'fault',
    fix: 'The app’s clock or this one is wrong, or --turn-ttl too short: set clocks by NTP (timedatectl).',
  },
  'turn-refused': {
    level: 'fault',
    fix: 'The TURN server knows the credential and gives no relay: its log says why; `total-quota`, `user-quota`, `relay-ip`, `min-port` and `max-port` in deploy/turnserver.conf.',
  },
  // What none of this explains.
  unanswered: {
    level: 'fault',
    fix: 'Look in the logs of the front end (/var/log/nginx/error.log) and of the app at this moment.',
  },
} as const satisfies Record<string, Fault>;

export type FaultName = keyof typeof faults;
