/** Faults of nginx: changes to the files that `genkan nginx` writes, each with the expected finding. */
import type { FaultName } from '../../app/doctor/faults.ts';
import type { Front } from '../nginx/nginx.ts';

export type Kind = 'uwsgi' | 'http';
/** Replaces a line of a file; every pattern must be found. */
export type Change = [file: string, pattern: RegExp, replacement: string];
export type Row = {
  finds: FaultName[];
  by: Kind;
  what: string;
  /** Host, path and scheme of the examined URL. */
  base?: string;
  tls?: boolean;
  /** Options of genkan nginx and genkan doctor, and the changes. */
  words?: string[];
  options?: string[];
  change?: Change[];
  more?: Pick<Front, 'publicDir' | 'by'>;
};

const [app, statics, head, params] = ['app', 'static', 'headers', 'uwsgi-params'].map(
  (name) => `snippets/genkan-${name}.conf`,
) as [string, string, string, string];
const conf = 'conf.d/genkan.conf';
const below = ['--base', '/meet/'];

const ownLocation = `location ~ /ws$ {
  proxy_pass http://$genkan_app;
  proxy_http_version 1.1;
  proxy_set_header Upgrade $http_upgrade;
  proxy_set_header Connection $genkan_connection;
}
`;
const image = `sub_filter '<body>' '<body><img src="http://x.example/y.png">'; proxy_set_header Accept-Encoding '';`;

export const rows: Row[] = [
  { finds: [], by: 'uwsgi', what: 'no fault' },
  { finds: [], by: 'http', what: 'no fault', options: ['--slow', '--idle', '3'] },
  { finds: [], by: 'uwsgi', what: 'no fault below a path', words: below, base: 'meet/' },
  { finds: [], by: 'http', what: 'no fault below a path', words: below, base: 'meet/' },
  { finds: [], by: 'uwsgi', what: 'no fault with TLS', tls: true },
  { finds: [], by: 'http', what: 'no fault with TLS below a path', tls: true, words: below, base: 'meet/' },
  {
    finds: ['upgrade-lost'],
    by: 'http',
    what: 'Upgrade is not passed on',
    change: [[app, /proxy_set_header Upgrade .*;/, '']],
  },
  {
    finds: ['upgrade-lost'],
    by: 'http',
    what: 'Connection is not passed on',
    change: [[app, /Connection \$genkan_connection/, 'Connection close']],
  },
  {
    finds: [],
    by: 'http',
    what: 'the client address is appended to the one it claims',
    change: [[app, /X-Forwarded-For +\$remote_addr/, 'X-Forwarded-For $proxy_add_x_forwarded_for']],
  },
  {
    finds: ['upgrade-lost'],
    by: 'uwsgi',
    what: 'Upgrade is removed',
    change: [[params, /$/, "uwsgi_param HTTP_UPGRADE '';"]],
  },
  {
    finds: ['websocket-refused'],
    by: 'http',
    what: 'a filter forbids WebSockets',
    change: [[conf, /(?=server_name _)/, 'location ~ /ws$ { return 403; } ']],
  },
  {
    finds: ['stream-buffered'],
    by: 'uwsgi',
    what: 'streams are buffered',
    change: [[app, /_buffering off;/, '_buffering on; uwsgi_ignore_headers X-Accel-Buffering;']],
  },
  {
    finds: ['stream-buffered'],
    by: 'http',
    what: 'streams are compressed',
    change: [[app, /(?=error_page 429)/, 'gzip on; gzip_types text/event-stream; ']],
  },
  ...(['uwsgi', 'http'] as const).flatMap((by): Row[] => {
    return [
      {
        finds: ['idle-cut', 'poll-cut'],
        by,
        what: 'idle connections are cut',
        options: ['--slow', '--idle', '5'],
        change: [[app, /_read_timeout .*;/, '_read_timeout 2s;']],
      },
      {
        finds: ['host-lost'],
        by,
        what: 'another Host is passed on',
        change:
          by === 'uwsgi'
            ? [[params, /HTTP_HOST +\$genkan_host/, "HTTP_HOST 'app.internal'"]]
            : [[app, /(Host +)\$genkan_host;/g, '$1app.internal;']],
      },
      {
        finds: ['port-lost'],
        by,
        what: 'Host is passed on without its port',
        change:
          by === 'uwsgi'
            ? [[params, /HTTP_HOST +\$genkan_host/, 'HTTP_HOST $$host']]
            : [[app, /(Host +)\$genkan_host;/g, '$1$$host;']],
      },
      {
        finds: ['port-lost'],
        by,
        what: 'Host is passed on with the port behind a published one',
        change:
          by === 'uwsgi'
            ? [[params, /HTTP_HOST +\$genkan_host;/, 'HTTP_HOST $$host; uwsgi_param SERVER_PORT 8080;']]
            : [[app, /(Host +)\$genkan_host;/g, '$1$$host:8080;']],
      },
      {
        finds: [],
        by,
        what: 'the port is sent next to Host',
        change:
          by === 'uwsgi'
            ? [[params, /HTTP_HOST +\$genkan_host;/, 'HTTP_HOST $$host; uwsgi_param SERVER_PORT $$server_port;']]
            : [
                [app, /(Host +)\$genkan_host;/g, '$1$$host;'],
                [app, /(X-Forwarded-Port +)'';/, '$1$$server_port;'],
              ],
      },
      {
        finds: ['origin-lost'],
        by,
        what: 'another Origin is passed on',
        change:
          by === 'uwsgi'
            ? [[params, /$/, 'uwsgi_param HTTP_ORIGIN http://app.internal;']]
            : [[app, /(?=proxy_set_header Host)/, 'proxy_set_header Origin http://app.internal; ']],
      },
      {
        finds: ['path-wrong'],
        by,
        what: 'the path is not sent to the app',
        words: below,
        base: 'meet/',
        change:
          by === 'uwsgi'
            ? [[params, /'\/meet'/, "''"]]
            : [[app, /X-Forwarded-Prefix '\/meet'/, "X-Forwarded-Prefix ''"]],
      },
      {
        finds: ['body-limit'],
        by,
        what: 'bodies are truncated',
        change: [[app, /max_body_size 1m;/, 'max_body_size 16k;']],
      },
      {
        finds: ['client-forgeable'],
        by,
        what: 'every address is a trusted proxy',
        change: [[conf, /(?=server_name _)/, 'set_real_ip_from 0.0.0.0/0; real_ip_header X-Forwarded-For; ']],
      },
      {
        finds: ['scheme-lost'],
        by,
        what: 'the scheme is not sent',
        tls: true,
        change:
          by === 'uwsgi'
            ? [[params, /REQUEST_SCHEME +\$scheme/, 'REQUEST_SCHEME http']]
            : [[app, /X-Forwarded-Proto +\$scheme/, 'X-Forwarded-Proto http']],
      },
    ];
  }),
  {
    finds: ['prefix-lost'],
    by: 'http',
    what: 'the path is removed and not sent',
    words: below,
    base: 'meet/',
    change: [
      [app, /X-Forwarded-Prefix '\/meet'/, "X-Forwarded-Prefix ''"],
      [app, /(?=proxy_pass)/g, 'rewrite ^/meet/(.*) /$1 break; '],
    ],
  },
  {
    finds: ['client-forgeable'],
    by: 'http',
    what: 'a forged host is passed on',
    change: [[app, /X-Forwarded-Host +\$genkan_host/, 'X-Forwarded-Host $http_x_forwarded_host']],
  },
  {
    finds: ['client-forgeable'],
    by: 'http',
    what: 'a forged path is passed on',
    change: [[app, /proxy_set_header X-Forwarded-Prefix .*;/, '']],
  },
  {
    finds: ['client-lost'],
    by: 'http',
    what: 'the client address is not sent',
    change: [[app, /X-Forwarded-For +\$remote_addr/, "X-Forwarded-For ''"]],
  },
  {
    finds: ['static-falls-through'],
    by: 'uwsgi',
    what: 'a missing file returns the page',
    change: [[statics, /try_files \$uri =404;/, 'try_files $uri /;']],
  },
  {
    finds: ['static-by-app'],
    by: 'uwsgi',
    what: 'files come from the app',
    change: [[conf, /include .*static\.conf;/, '']],
  },
  { finds: ['script-missing'], by: 'uwsgi', what: 'files are elsewhere', more: { publicDir: '/nowhere' } },
  {
    finds: ['script-type'],
    by: 'uwsgi',
    what: 'scripts have no content type',
    change: [[statics, /text\/javascript .*;/, '']],
  },
  {
    finds: ['script-not-cached'],
    by: 'uwsgi',
    what: 'files may not be cached',
    change: [[statics, /add_header Cache-Control .*;/, '']],
  },
  {
    finds: ['missing-cached'],
    by: 'uwsgi',
    what: 'missing files may be cached',
    change: [[statics, /(add_header Cache-Control .*);/, '$1 always;']],
  },
  {
    finds: ['api-cached', 'page-cached'],
    by: 'uwsgi',
    what: 'everything may be cached',
    change: [[app, /(?=error_page 429)/, 'expires 1h; ']],
  },
  {
    finds: ['headers-missing'],
    by: 'uwsgi',
    what: 'files have no headers',
    change: [[statics, /include .*headers\.conf;/, '']],
  },
  {
    finds: ['headers-twice'],
    by: 'http',
    what: 'the app’s headers are sent as well',
    change: [[head, /proxy_hide_header Content-Security-Policy;/, 'proxy_hide_header X-Nothing;']],
  },
  {
    finds: ['camera-forbidden'],
    by: 'uwsgi',
    what: 'a ready-made set of headers',
    change: [[head, /camera=\(self\), microphone=\(self\)/, 'camera=(), microphone=()']],
  },
  {
    finds: ['operations-public'],
    by: 'http',
    what: 'metrics are public',
    change: [[conf, /include .*private\.conf;/, '']],
  },
  {
    finds: ['mixed-content'],
    by: 'http',
    what: 'the page loads something by http:',
    tls: true,
    change: [[app, /(?=error_page 429)/, `${image} `]],
  },
  { finds: ['host-refused'], by: 'uwsgi', what: 'the site has another name', words: ['--server-name', 'meet.example'] },
  {
    finds: ['page-missing'],
    by: 'http',
    what: 'the page is missing',
    change: [[conf, /(?=server_name _)/, 'location = / { return 404; } ']],
  },
  {
    finds: ['unanswered'],
    by: 'http',
    what: 'the page is not answered at all',
    change: [[conf, /(?=server_name _)/, 'location = / { return 444; } ']],
  },
  {
    finds: ['stream-refused'],
    by: 'http',
    what: 'streams are refused',
    change: [[app, /(?=error_page 429)/, 'if ($http_accept = text/event-stream) { return 406; } ']],
  },
  {
    finds: ['message-lost'],
    by: 'http',
    what: 'messages are answered by another server',
    change: [[app, /(?<=messages\/\?\$ \{)/, ` return 200 '{"messages":[]}';`]],
  },
  {
    finds: ['origin-refused'],
    by: 'http',
    what: 'WebSockets have a location of their own',
    change: [[app, /^(?=location)/m, ownLocation]],
  },
  {
    finds: ['origin-refused', 'scheme-lost'],
    by: 'http',
    what: 'https is reported without TLS',
    change: [[app, /X-Forwarded-Proto +\$scheme/, 'X-Forwarded-Proto https']],
  },
  {
    finds: ['client-unsteady'],
    by: 'http',
    what: 'each request has another client address',
    change: [
      [conf, /(?=server \{)/, 'map $request_id $any { "~^(?<four>[0-9a-f]{4})" 2001:db8::$four; } '],
      [app, /X-Forwarded-For +\$remote_addr/, 'X-Forwarded-For $any'],
    ],
  },
  { finds: ['too-many'], by: 'uwsgi', what: 'the limits are too low', words: ['--handshakes', '1'] },
  {
    finds: ['no-redirect'],
    by: 'uwsgi',
    what: 'http is not redirected',
    tls: true,
    change: [[conf, /return 308 .*;/, 'return 200 "Hello";']],
  },
  {
    finds: ['tls-old'],
    by: 'uwsgi',
    what: 'old TLS versions are accepted',
    tls: true,
    change: [
      ['snippets/genkan-tls.conf', /ssl_protocols .*;/, 'ssl_protocols TLSv1.1 TLSv1.2;'],
      ['snippets/genkan-tls.conf', /ssl_ciphers .*;/, 'ssl_ciphers DEFAULT@SECLEVEL=0;'],
    ],
  },
];

/**
 * Applies the changes for a file.
 * @throws if a pattern is not found
 */
export const spoiler = (changes: Change[]) => (path: string, text: string) =>
  changes.reduce((changed, [file, pattern, replacement]) => {
    if (file === path && !pattern.test(changed)) throw new Error(`${path} has no line like ${pattern}`);
    return file === path ? changed.replace(pattern, replacement) : changed;
  }, text);
