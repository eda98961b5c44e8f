/** Each thing that can be wrong with a site, made wrong in a real nginx before the real app: the doctor names it, and nothing else. */
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { certificate } from '../../app/doctor/certificate.ts';
import { type FaultName, faults } from '../../app/doctor/faults.ts';
import { clock } from '../../app/doctor/front.ts';
import { readWords } from '../../app/doctor/options.ts';
import { showReport } from '../../app/doctor/report.ts';
import { examine } from '../../app/doctor/run.ts';
import type { Site as Patient } from '../../app/doctor/site.ts';
import { startSpoiled } from '../client/spoiled.ts';
import { type Front, freePort, startNginx } from '../nginx/nginx.ts';
import { without } from '../setup/without.ts';
import { type Site, startSite } from '../signaling/site.ts';
import { createAuthority, type Files, pemOf } from './certificates.ts';
import { startTurn, type Turn } from './turn-server.ts';

const publicDir = join(import.meta.dirname, '../../dist/public');
const missing = without('nginx');
const authority = createAuthority();
const days = (count: number) => new Date(Date.now() + count * 86_400_000);

let turn: Turn;
let site: Site;
let other: Site;
beforeAll(async () => {
  turn = await startTurn('the-secret-that-signs');
  // Pings would keep an idle connection open, if they came.
  const settings = ['--ping-interval', '1', '--turn-secret', 'the-secret-that-signs', '--turn-url', turn.url];
  site = await startSite(settings);
  other = await startSite(settings);
});
afterAll(async () => {
  await site.stop();
  await other.stop();
  turn.stop();
  authority.remove();
});

const patient = (url: string, ...words: string[]): Patient => {
  const asked = readWords([url, ...words]);
  if ('faults' in asked) throw new Error(asked.faults.join('; '));
  return asked.site;
};

/** Names of what is found, each once, in alphabetical order, and the whole report for whom they surprise. */
const diagnose = async (asked: Patient): Promise<{ names: FaultName[]; text: string }> => {
  const report = await examine(asked);
  const names = report.flatMap(({ findings }) => findings.flatMap((one) => ('name' in one ? [one.name] : [])));
  return { names: [...new Set(names)].sort(), text: showReport(report) };
};

type Kind = 'uwsgi' | 'http';
/** A line of a file becomes another; every pattern must be there. */
type Change = [file: string, pattern: RegExp, replacement: string];
type Row = {
  finds: FaultName[];
  by: Kind;
  what: string;
  /** The name's host, path and scheme that are examined. */
  base?: string;
  tls?: boolean;
  /** Options of genkan nginx, of genkan doctor, and what is spoiled. */
  words?: string[];
  options?: string[];
  change?: Change[];
  more?: Pick<Front, 'publicDir'>;
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

const rows: Row[] = [
  { finds: [], by: 'uwsgi', what: 'all is right' },
  { finds: [], by: 'http', what: 'all is right', options: ['--slow', '--idle', '3'] },
  { finds: [], by: 'uwsgi', what: 'all is right below a path', words: below, base: 'meet/' },
  { finds: [], by: 'http', what: 'all is right below a path', words: below, base: 'meet/' },
  { finds: [], by: 'uwsgi', what: 'all is right with TLS', tls: true },
  { finds: [], by: 'http', what: 'all is right with TLS below a path', tls: true, words: below, base: 'meet/' },
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
    what: 'the client is added to what it claims',
    change: [[app, /X-Forwarded-For +\$remote_addr/, 'X-Forwarded-For $proxy_add_x_forwarded_for']],
  },
  {
    finds: ['upgrade-lost'],
    by: 'uwsgi',
    what: 'Upgrade is taken away',
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
        what: 'the path is not told to the app',
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
        what: 'bodies are cut short',
        change: [[app, /max_body_size .*;/, 'max_body_size 1k;']],
      },
      {
        finds: ['client-forgeable'],
        by,
        what: 'everybody is a trusted proxy',
        change: [[conf, /(?=server_name _)/, 'set_real_ip_from 0.0.0.0/0; real_ip_header X-Forwarded-For; ']],
      },
      {
        finds: ['scheme-lost'],
        by,
        what: 'the scheme is not told',
        tls: true,
        change:
          by === 'uwsgi'
            ? [
                [params, /REQUEST_SCHEME +\$scheme/, 'REQUEST_SCHEME http'],
                [params, /uwsgi_param HTTPS .*;/, ''],
              ]
            : [[app, /X-Forwarded-Proto +\$scheme/, 'X-Forwarded-Proto http']],
      },
    ];
  }),
  {
    finds: ['prefix-lost'],
    by: 'http',
    what: 'the path is cut off and not told',
    words: below,
    base: 'meet/',
    change: [
      [app, /X-Forwarded-Prefix '\/meet'/, "X-Forwarded-Prefix ''"],
      [app, /(?=proxy_pass)/, 'rewrite ^/meet/(.*) /$1 break; '],
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
    what: 'the client is not told',
    change: [[app, /X-Forwarded-For +\$remote_addr/, "X-Forwarded-For ''"]],
  },
  {
    finds: ['static-falls-through'],
    by: 'uwsgi',
    what: 'a missing file is the page',
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
    what: 'scripts have no type',
    change: [[statics, /text\/javascript .*;/, '']],
  },
  {
    finds: ['script-not-cached'],
    by: 'uwsgi',
    what: 'files may not be kept',
    change: [[statics, /add_header Cache-Control .*;/, '']],
  },
  {
    finds: ['missing-cached'],
    by: 'uwsgi',
    what: 'what is missing may be kept',
    change: [[statics, /(add_header Cache-Control .*);/, '$1 always;']],
  },
  {
    finds: ['api-cached', 'page-cached'],
    by: 'uwsgi',
    what: 'everything may be kept',
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
    what: 'the app’s headers are there as well',
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
    what: 'the page names something by http:',
    tls: true,
    change: [[app, /(?=error_page 429)/, `${image} `]],
  },
  { finds: ['host-refused'], by: 'uwsgi', what: 'the site has another name', words: ['--server-name', 'meet.example'] },
  {
    finds: ['page-missing'],
    by: 'http',
    what: 'there is no page',
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
    what: 'messages are answered by somebody else',
    change: [[conf, /(?=server_name _)/, `location ~ /messages$ { return 200 '{"messages":[]}'; } `]],
  },
  {
    finds: ['origin-refused'],
    by: 'http',
    what: 'WebSockets have a location of their own',
    change: [[app, /^(?=location)/m, ownLocation]],
  },
  {
    finds: ['client-unsteady'],
    by: 'http',
    what: 'each request has another client',
    change: [
      [conf, /(?=server \{)/, 'map $request_id $any { "~^(?<four>[0-9a-f]{4})" 2001:db8::$four; } '],
      [app, /X-Forwarded-For +\$remote_addr/, 'X-Forwarded-For $any'],
    ],
  },
  { finds: ['too-many'], by: 'uwsgi', what: 'little is allowed', words: ['--handshakes', '1'] },
  {
    finds: ['no-redirect'],
    by: 'uwsgi',
    what: 'http: stays http:',
    tls: true,
    change: [[conf, /return 308 .*;/, 'return 200 "Hello";']],
  },
  {
    finds: ['tls-old'],
    by: 'uwsgi',
    what: 'old TLS is spoken too',
    tls: true,
    change: [
      ['snippets/genkan-tls.conf', /ssl_protocols .*;/, 'ssl_protocols TLSv1.1 TLSv1.2;'],
      ['snippets/genkan-tls.conf', /ssl_ciphers .*;/, 'ssl_ciphers DEFAULT@SECLEVEL=0;'],
    ],
  },
];

/** Makes the changes of a file; → what it was told, so that none is forgotten. */
const spoiler = (changes: Change[]) => (path: string, text: string) =>
  changes.reduce((changed, [file, pattern, replacement]) => {
    if (file === path && !pattern.test(changed)) throw new Error(`${path} has no line like ${pattern}`);
    return file === path ? changed.replace(pattern, replacement) : changed;
  }, text);

const tlsWords = (files = authority.issue()) => {
  const { chain, key } = files;
  return ['--mode', 'tls', '--server-name', 'localhost', '--certificate', chain, '--certificate-key', key];
};

/** `isKnown`: whether the doctor is told of the authority. */
type Fronted = Omit<Row, 'finds' | 'what'> & { files?: Files; isKnown?: boolean };

/** Puts a front before the site; → what is found there. */
const examineBehind = async ({ by, tls, base = '', files, isKnown = true, ...row }: Fronted) => {
  const nginx = await startNginx({
    app: { kind: by, address: site.addresses[by === 'uwsgi' ? 'socket' : 'http-unix'] },
    publicDir,
    words: [...(row.words ?? []), ...(tls ? tlsWords(files) : [])],
    spoil: spoiler(row.change ?? []),
    ...row.more,
  });
  try {
    const url = tls ? `https://localhost:${nginx.port}/` : `http://127.0.0.1:${nginx.port}/`;
    const trusted = tls && isKnown ? ['--ca', authority.file] : [];
    const plain = tls ? new URL(`http://localhost:${nginx.plainPort}/${base}`) : undefined;
    return await diagnose({ ...patient(url + base, ...trusted, ...(row.options ?? [])), plain });
  } finally {
    await nginx.stop();
  }
};

describe.skipIf(missing)('behind nginx', () => {
  test.concurrent.for(rows)('$by: $what → $finds', async (row, { expect: here }) => {
    const { names, text } = await examineBehind(row);
    here(names, text).toEqual(row.finds);
  });
});

/** TLS with one thing wrong: the certificate that nginx shows, and how it is asked. */
const certificates: { finds: FaultName[]; what: string; files(): Files; options?: string[]; isKnown?: boolean }[] = [
  { finds: ['certificate-expired'], what: 'it has ended', files: () => authority.issue({ to: days(-1) }) },
  { finds: ['certificate-ends-soon'], what: 'it ends soon', files: () => authority.issue({ to: days(3) }) },
  { finds: ['certificate-not-yet-valid'], what: 'it is of tomorrow', files: () => authority.issue({ from: days(1) }) },
  { finds: ['certificate-name'], what: 'it is of another', files: () => authority.issue({ name: 'other.example' }) },
  { finds: ['certificate-self-signed'], what: 'nobody else made it', files: () => authority.selfSigned() },
  {
    finds: ['certificate-untrusted'],
    what: 'nobody knows the authority that it brings along',
    files: () => withRoot(authority.issue()),
    isKnown: false,
  },
  { finds: ['certificate-chain'], what: 'its chain is cut short', files: () => authority.issueWithoutChain() },
  {
    finds: ['certificate-expired', 'token-kept'],
    what: 'it has ended, and there is a token',
    files: () => authority.issue({ to: days(-1) }),
    options: ['--token', 'a.b.c'],
  },
];

/** With the certificate of the authority behind its own. */
const withRoot = ({ chain, key }: Files): Files => {
  appendFileSync(chain, pemOf(authority.file));
  return { chain, key };
};

describe.skipIf(missing)('a certificate', () => {
  test.concurrent.for(certificates)('$what → $finds', async ({ finds, files, ...row }, { expect: here }) => {
    const { names, text } = await examineBehind({ by: 'uwsgi', tls: true, files: files(), ...row });
    here(names, text).toEqual(finds);
  });

  test('who made it is asked for, if nobody knows them', async () => {
    const nginx = await startNginx({
      app: { kind: 'uwsgi', address: site.addresses.socket },
      words: tlsWords(),
      publicDir,
    });
    const { names, text } = await diagnose(patient(`https://localhost:${nginx.port}/`));
    await nginx.stop();
    expect(names, text).toEqual(['certificate-chain']);
  });

  test('there is none where browsers want one', async () => {
    const asked = patient('http://meet.example/', '--token', 'a.b.c');
    const names = (await certificate.run(asked)).flatMap((one) => ('name' in one ? [one.name] : []));
    expect(names).toEqual(['no-tls', 'token-kept']);
  });
});

describe.skipIf(missing)('several workers', () => {
  /** Two apps behind one nginx. */
  const two = async (change: Change[]) => {
    const [first, second] = [site, other].map(({ addresses }) => addresses['http-unix']);
    const words = ['--upstream', second ?? ''];
    const nginx = await startNginx({
      app: { kind: 'http', address: first ?? '' },
      words,
      publicDir,
      spoil: spoiler(change),
    });
    const found = await diagnose(patient(nginx.url));
    await nginx.stop();
    return found;
  };

  test('each with rooms of its own', async () => {
    const { names, text } = await two([]);
    expect(names, text).toEqual([]);
  });

  test('that take turns with one room → rooms-split', async () => {
    const { names, text } = await two([['snippets/genkan-workers.conf', /hash .*;/, '']]);
    expect(names, text).toEqual(['rooms-split']);
  });
});

/** Where something else than nginx is wrong: what is examined, until the test ends. */
const elsewhere: {
  finds: FaultName[];
  what: string;
  open(): Promise<{ url: string; close(): unknown }> | { url: string };
}[] = [
  { finds: ['name-unknown'], what: 'a name that nobody has', open: () => ({ url: 'http://nobody.invalid' }) },
  {
    finds: ['unreachable'],
    what: 'a port where nobody is',
    open: async () => ({ url: `http://127.0.0.1:${await freePort()}`, close: () => {} }),
  },
  { finds: ['not-genkan'], what: 'another site', open: () => startStranger() },
  {
    finds: ['tls-broken'],
    what: 'a port without TLS',
    open: async () => {
      const { url, close } = await startStranger();
      return { url: url.replace('http:', 'https:'), close };
    },
  },
  {
    finds: ['websocket-refused'],
    what: 'a network that refuses upgrades',
    open: () => startSpoiled(site.direct.http, ['refuses upgrades']),
  },
  {
    finds: ['websocket-refused'],
    what: 'a network that hangs upgrades',
    open: () => startSpoiled(site.direct.http, ['hangs upgrades']),
  },
  {
    finds: ['websocket-mute'],
    what: 'a network that swallows WebSockets',
    open: () => startSpoiled(site.direct.http, ['swallows WebSockets']),
  },
  {
    finds: ['websocket-mute'],
    what: 'a network that cuts WebSockets',
    open: () => startSpoiled(site.direct.http, ['cuts WebSockets']),
  },
  {
    finds: ['stream-buffered'],
    what: 'a network that buffers streams',
    open: () => startSpoiled(site.direct.http, ['buffers streams']),
  },
  { finds: [], what: 'no front end', open: () => ({ url: site.direct.http }) },
];

const startStranger = async () => {
  const server = createServer((_request, answer) => answer.end('Hello'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  return { url: `http://127.0.0.1:${typeof bound === 'object' ? bound?.port : 0}`, close: () => server.close() };
};

test.concurrent.for(elsewhere)('$what → $finds', async ({ finds, open }, { expect: here }) => {
  const opened = await open();
  const { names, text } = await diagnose(patient(opened.url, '--timeout', '3'));
  if ('close' in opened) opened.close();
  here(names, text).toEqual(finds);
});

describe.skipIf(missing)('an app', () => {
  const behind = async (address: string) => {
    const nginx = await startNginx({ app: { kind: 'http', address }, publicDir });
    const found = await diagnose(patient(nginx.url));
    await nginx.stop();
    return found;
  };

  test('that is not there → app-down', async () => {
    const { names, text } = await behind(`127.0.0.1:${await freePort()}`);
    expect(names, text).toEqual(['app-down']);
  });

  test('that nginx reaches where browsers should → listener-for-browsers', async () => {
    const { names, text } = await behind(site.direct.http.replace('http://', ''));
    expect(names, text).toEqual(['listener-for-browsers']);
  });
});

test('a house that wants tokens: without one it stays outside, with one all is tried', async () => {
  const secret = 'a-secret-of-the-house-of-32-letters';
  const house = await startSite(['--auth', 'token', '--token-secret', secret]);
  const claims = { room: 'doctor-*', role: 'host', exp: Math.floor(Date.now() / 1000) + 60 };
  const token = await new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from(secret));
  const [outside, inside] = [
    await diagnose(patient(house.direct.http)),
    await diagnose(patient(house.direct.http, '--token', token)),
  ];
  await house.stop();
  expect(outside.names, outside.text).toEqual(['entry-refused']);
  expect(inside.names, inside.text).toEqual(['no-turn']);
});

test.skipIf(missing)('a site of another time → clock-skew', async () => {
  const nginx = await startNginx({ app: { kind: 'uwsgi', address: site.addresses.socket }, publicDir });
  const asked = patient(nginx.url);
  const names = async () => (await clock.run(asked)).flatMap((one) => ('name' in one ? [one.name] : []));
  expect(await names()).toEqual([]);
  // nginx has the time of the machine.
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 120_000 });
  const later = await names();
  vi.useRealTimers();
  await nginx.stop();
  expect(later).toEqual(['clock-skew']);
});

test('every fault is found by one of these files', () => {
  const rowed = [...rows, ...certificates, ...elsewhere].flatMap(({ finds }) => finds);
  const single = [
    'address-dead',
    'no-tls',
    'app-down',
    'rooms-split',
    'listener-for-browsers',
    'entry-refused',
    'clock-skew',
  ];
  const ofIce = ['no-turn', 'ice-unreachable', 'turn-tls', 'turn-credential', 'turn-expired', 'turn-refused'];
  expect(Object.keys(faults).sort()).toEqual([...new Set([...rowed, ...single, ...ofIce])].sort());
});
