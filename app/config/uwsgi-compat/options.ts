/** Options of uWSGI that are not settings here: what each does in uWSGI, and how it is handled here. */

/**
 * - `renamed`: the value, multiplied by `times`, goes to the setting `to`; a note gives the new name.
 * - `always`: always on here; silently accepted, with a note if it was to be switched off.
 * - `inapplicable`: ignored, with a note that gives the reason.
 * - `refused`: ignoring it would be wrong, so the start fails with the reason.
 * `takes`: whether a value follows it on a command line.
 */
export type UwsgiAnswer = { uwsgi: string } & (
  | { verdict: 'renamed'; to: string; times?: number; here?: string }
  | { verdict: 'always' | 'inapplicable' | 'refused'; takes: 'flag' | 'value'; here: string }
);

/** An option without a corresponding setting. */
export type UwsgiVerdict = Extract<UwsgiAnswer, { verdict: 'always' | 'inapplicable' | 'refused' }>;
const answer =
  (verdict: UwsgiVerdict['verdict'], takes: UwsgiVerdict['takes']) =>
  (uwsgi: string, here: string): UwsgiVerdict => ({ verdict, takes, uwsgi, here });
const always = answer('always', 'flag');
const idle = answer('inapplicable', 'value');
const idleFlag = answer('inapplicable', 'flag');
const refused = answer('refused', 'value');
const refusedFlag = answer('refused', 'flag');
const renamed = (to: string, uwsgi: string, here?: string): UwsgiAnswer => ({
  verdict: 'renamed',
  to,
  uwsgi,
  ...(here === undefined ? {} : { here }),
});

const sockets: Record<string, UwsgiAnswer> = {
  'http-websockets': always('lets the HTTP router proxy WebSockets', 'WebSockets always work'),
  'http-keepalive': always('keeps connections of the HTTP router open', 'HTTP connections are always kept open'),
  'socket-timeout': renamed(
    'header-timeout',
    'seconds to wait on a socket, default 4',
    'for the request head; body-timeout is for the body',
  ),
  'tcp-nodelay': always('sends small packets at once', 'TCP sockets always send at once'),
  'so-keepalive': always('enables TCP keep-alive probes', 'WebSockets are pinged, and HTTP has its timeouts'),
  'reuse-port': idleFlag(
    'lets several processes bind one port',
    'no two workers share an address: nginx distributes the rooms over their addresses',
  ),
  'thunder-lock': idleFlag(
    'serialises accept() among workers',
    'no two workers share an address, so there is nothing to lock',
  ),
  'post-buffering': idle('writes large request bodies to disk', 'nginx buffers request bodies; limit-post bounds them'),
  umask: refused(
    'umask of created files',
    "chmod-socket sets the mode of unix sockets; for other files use systemd's UMask=",
  ),
};

const workers: Record<string, UwsgiAnswer> = {
  threads: idle(
    'threads in each worker',
    "a worker runs one event loop, which serves all its peers; for more cores use processes (the pool for files and DNS is Node's UV_THREADPOOL_SIZE)",
  ),
  'enable-threads': always("enables Python's threads", "Python's threads; Node has no such switch"),
  'lazy-apps': always('loads the app in each worker instead of once', 'every worker loads its own code'),
  lazy: always('the older form of lazy-apps', 'every worker loads its own code'),
  'need-app': always('exits if the app cannot be loaded', 'the server never starts without the app'),
  'die-on-term': always('SIGTERM stops instead of reloading', 'SIGTERM always drains, then ends'),
  'single-interpreter': always('one Python interpreter for all apps', 'there is one app'),
  'memory-report': always('fills in the memory numbers of the statistics', 'statistics always have them'),
  'reload-mercy': idle('seconds for a reload, hardly kept', 'there is only one such timeout: drain-timeout'),
  'worker-reload-mercy': renamed('drain-timeout', 'seconds a worker may take to end, default 60'),
  'max-requests': refused(
    'replaces a worker after this many requests',
    'the calls in its rooms would be interrupted by load; use max-worker-lifetime or reload-on-rss',
  ),
  'max-requests-delta': refused(
    'spreads max-requests over the workers',
    'it goes with max-requests; workers are replaced one after the other',
  ),
  'min-worker-lifetime': idle(
    'seconds before a worker may be replaced',
    'a worker drains before it is replaced, so no minimum is needed',
  ),
  'touch-chain-reload': renamed(
    'touch-reload',
    'reloads worker by worker when the file changes',
    'which always goes worker by worker',
  ),
  'touch-workers-reload': renamed('touch-reload', 'reloads the workers when the file changes'),
  'master-fifo': renamed(
    'control-socket',
    'a pipe for commands of one letter',
    'a unix socket that answers; it takes the same letters',
  ),
  'reload-on-as': idle(
    'replaces a worker above this many megabytes of address space',
    'V8 reserves address space far beyond what it uses; see reload-on-rss',
  ),
  'evil-reload-on-as': idle(
    'kills a worker above this many megabytes of address space',
    'V8 reserves address space far beyond what it uses; see evil-reload-on-rss',
  ),
  'limit-as': idle('bounds the address space', 'V8 reserves address space far beyond what it uses; see reload-on-rss'),
  'harakiri-verbose': idleFlag('logs more when harakiri kills a worker', 'what is known is always logged'),
  'harakiri-graceful-timeout': idle('seconds between the request to exit and the kill', 'harakiri kills nothing here'),
  'offload-threads': idle(
    'threads that send files',
    'nginx sends files; standalone, Node streams them without blocking',
  ),
  cheap: idleFlag(
    'starts workers only on demand',
    'the number of workers is fixed, because nginx hashes rooms over them',
  ),
  idle: idle(
    'seconds without requests after which it goes cheap',
    'the number of workers is fixed, because nginx hashes rooms over them',
  ),
  daemonize: idle(
    'goes to the background and logs to a file',
    'it stays in the foreground: let systemd or a container run it, and use logto for the log file',
  ),
  daemonize2: idle(
    'goes to the background once the app is loaded',
    'it stays in the foreground: let systemd or a container run it, and use logto for the log file',
  ),
  stop: refused('sends SIGINT to the pid in a file', 'use the command: genkan stop --pidfile FILE'),
  reload: refused('sends SIGHUP to the pid in a file', 'use the command: genkan reload --pidfile FILE'),
  pause: refused('sends SIGTSTP to the pid in a file', 'use the command: genkan pause --pidfile FILE'),
};

const reports: Record<string, UwsgiAnswer> = {
  'log-big': refused(
    'logs responses of more bytes than this',
    'select log lines by %(size) of log-format, or by bytes of log-json',
  ),
  'log-ioerror': refusedFlag('logs requests whose connection broke', 'such requests are logged with status 499'),
  'log-master': always('lets the master write the log', 'one place writes the log'),
  'log-maxsize': idle('rotates the log at this size', 'rotation is left to logrotate, with touch-logreopen'),
  'log-x-forwarded-for': always(
    'logs the X-Forwarded-For header as it came',
    "the log shows the client's address as reported by trusted proxies",
  ),
  'log-date': idle('the form of dates in the log', 'log lines have their time in milliseconds'),
  'log-encoder': idle('reformats log lines, for example as JSON', 'log-json writes JSON'),
  'stats-minified': refusedFlag('omits white space from the statistics', 'JSON parsers ignore it'),
  'stats-no-cores': refusedFlag('omits cores from the statistics', 'use /metrics of stats-http, which has none'),
  'stats-no-metrics': always('omits metrics from the statistics', 'the JSON has none; /metrics of stats-http has them'),
  'enable-metrics': always('counts metrics', 'metrics are always counted; stats-http serves them as /metrics'),
  'metrics-dir': idle('writes metrics to files', 'metrics are served, not stored: /metrics of stats-http'),
  'stats-push': idle('sends statistics elsewhere', 'let Prometheus fetch /metrics of stats-http'),
  'check-static': idle('serves files of a directory if they exist', 'use static-map, which says under which prefix'),
  'static-index': idle('the index file of directories', 'directories are not served'),
  'static-expires': idle(
    'Expires of files by pattern',
    'files with a hash in their name are cached indefinitely, others are revalidated',
  ),
  'static-gzip-all': always('serves the .gz next to a file', 'compressed files next to a file are always used'),
  'honour-range': always('supports Range for files', 'Range is always supported'),
  'websockets-ping-freq': renamed('ping-interval', 'seconds between pings, default 30'),
  'websockets-pong-tolerance': idle(
    'seconds for the pong to arrive, default 3',
    'a pong may arrive until the next ping: ping-interval',
  ),
  'websockets-max-size': {
    verdict: 'renamed',
    to: 'max-message-bytes',
    times: 1024,
    uwsgi: 'kilobytes of one message, default 1024',
    here: 'in bytes',
  },
};

const files: Record<string, UwsgiAnswer> = {
  ini: refused('reads options from an ini file', 'only YAML is read, with --yaml FILE'),
  xml: refused('reads options from an XML file', 'only YAML is read, with --yaml FILE'),
  json: refused('reads options from a JSON file', 'give it as --yaml FILE: JSON is valid YAML'),
  strict: always('unknown options are errors', 'unknown settings are always errors'),
  'show-config': refusedFlag('prints the configuration', 'use the command: genkan print-config'),
  env: refused('sets an environment variable', "set it where the program is started, such as systemd's Environment="),
  set: refused('sets a placeholder for %(name)', 'in a file, $(NAME) and the like are read from the environment'),
  'set-placeholder': refused(
    'sets a placeholder for %(name)',
    'in a file, $(NAME) and the like are read from the environment',
  ),
  mount: refused('serves an app under a prefix', 'let nginx pass the prefix to the app: genkan nginx --base /prefix/'),
  'manage-script-name': always('moves the prefix of a mount to SCRIPT_NAME', 'SCRIPT_NAME is always respected'),
};

export const uwsgiOptions: Record<string, UwsgiAnswer> = { ...sockets, ...workers, ...reports, ...files };

/** Families of options with a common prefix. */
export const uwsgiFamilies: { like: string; pattern: RegExp; answer: UwsgiAnswer }[] = [
  {
    like: 'cheaper…',
    pattern: /^cheaper/,
    answer: idle(
      'starts and stops workers by load',
      'the number of workers is fixed, because nginx hashes rooms over them: processes',
    ),
  },
  {
    like: 'emperor…, vassal…',
    pattern: /^(emperor|vassal)/,
    answer: refused('runs an instance for each file of a directory', 'run one systemd unit for each instance'),
  },
  {
    like: 'hook-…, exec-…',
    pattern: /^(hook|exec|as-user)-/,
    answer: refused(
      'runs a command at a lifecycle event',
      'there are no hooks; systemd has ExecStartPre= and its like',
    ),
  },
  {
    like: 'attach-daemon…, smart-attach-daemon…',
    pattern: /^(smart-)?(legacy-)?attach-(control-)?daemon/,
    answer: refused('runs another program next to the app', 'let systemd or compose run it'),
  },
  {
    like: 'cron…',
    pattern: /^(unique-|legion-)?cron/,
    answer: refused('runs commands on a schedule', 'use systemd timers or cron'),
  },
  {
    like: 'spooler…, mule…, farm…',
    pattern: /^(spooler|mules?$|farm)/,
    answer: idle('workers for background tasks of the app', 'there are no background tasks'),
  },
  { like: 'cache…', pattern: /^cache/, answer: idle('a cache for the app', 'the app has no use for it') },
  { like: 'snmp…', pattern: /^snmp/, answer: idle('serves counters by SNMP', 'use /metrics of stats-http') },
  {
    like: 'route…',
    pattern: /^(route|final-route|error-route|response-route)/,
    answer: refused('rewrites requests', 'let nginx rewrite them'),
  },
  {
    like: 'module, wsgi-file, gevent, plugin, virtualenv … (Python)',
    pattern:
      /^(module|wsgi(-file)?|file|callable|plugins?|pythonpath|python-path|pp|home|virtualenv|venv|pyhome|gevent.*|async|greenlet|py-.*)$/,
    answer: idle('loads and configures a Python app', 'Genkan is itself the app, and no Python is loaded'),
  },
];

/** Undefined for a name that is not a known option of uWSGI. */
export const answerTo = (name: string): UwsgiAnswer | undefined =>
  (Object.hasOwn(uwsgiOptions, name) ? uwsgiOptions[name] : undefined) ??
  uwsgiFamilies.find(({ pattern }) => pattern.test(name))?.answer;

/** Single-letter flags of uWSGI for options that are not settings here. */
export const shortOptions: Record<string, string> = {
  T: 'enable-threads',
  z: 'socket-timeout',
  d: 'daemonize',
  m: 'memory-report',
  R: 'max-requests',
  w: 'module',
  H: 'virtualenv',
  i: 'single-interpreter',
};
