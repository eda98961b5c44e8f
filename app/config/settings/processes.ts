/** Settings: processes, their user, restarts and control. */
import { settingMetadata } from '../setting-metadata.ts';
import { flag, integer, list, path, seconds, text } from '../value-types.ts';

const user = (kind: string) => text(/^(\d+|[A-Za-z_][\w.-]*\$?)$/, `a ${kind}'s name or number`, kind.toUpperCase());

export const workers = {
  yaml: list(text(/^[^\0]+$/, 'file or file:section', 'FILE[:SECTION]')).register(settingMetadata, {
    help: 'read settings from a YAML file, under genkan: or uwsgi: or the named section; of several files the last wins',
    common: true,
    uwsgi: 'reads options under uwsgi: or the named section; later words of the command line override earlier ones',
    differs: 'flags override the environment, which overrides files, in any order; the file is validated strictly',
    also: ['yml', 'y'],
  }),
  chdir: path().optional().register(settingMetadata, {
    help: 'change to this directory first; relative paths are resolved from it (those of yaml and of secrets from where the command is run)',
    uwsgi: 'changes the directory before the app is loaded',
  }),
  master: flag()
    .optional()
    .register(settingMetadata, {
      help: 'run a supervisor, which keeps the workers running and reloads them; not set = only when another setting needs it, such as processes, control-socket, touch-reload or a worker limit',
      uwsgi: 'starts a master, without which nothing is respawned or reloaded; off by default',
      differs: 'on automatically when another setting needs it',
      also: ['M'],
    }),
  processes: integer(1, 1024)
    .default(1)
    .register(settingMetadata, {
      help: 'number of workers, each on its own address (%w in a path, or consecutive ports); nginx distributes rooms over them',
      common: true,
      uwsgi: 'workers, which share each listening socket',
      differs: 'a room lives in one worker, so each worker has its own address',
      also: ['workers', 'p'],
    }),
  uid: user('user').optional().register(settingMetadata, {
    help: 'switch to this user once all sockets are bound',
    common: true,
    uwsgi: 'switches to this user before unix sockets are bound',
    differs: 'sockets are bound first, so they may be in a directory of root',
  }),
  gid: user('group').optional().register(settingMetadata, {
    help: 'switch to this group once all sockets are bound',
    common: true,
    uwsgi: 'switches to this group before unix sockets are bound',
    differs: 'sockets are bound first',
  }),
  'allow-root': flag().default(false).register(settingMetadata, {
    help: 'do not warn when running as root without uid',
  }),
  pidfile: path()
    .optional()
    .register(settingMetadata, {
      help: 'write the pid of the supervisor to this file once it is ready',
      common: true,
      uwsgi: 'writes the pid even if the start then fails; safe-pidfile only after it succeeded',
      differs: 'like safe-pidfile: written once ready, never over that of a running process',
      also: ['safe-pidfile'],
    }),
  'control-socket': path().optional().register(settingMetadata, {
    help: 'unix socket for the commands status, reload, stop, pause and resume; one line of JSON each way, mode 600',
    common: true,
  }),
  'drain-timeout': seconds(0, 3600).default(10).register(settingMetadata, {
    help: 'seconds for requests to finish once a stop is requested',
    common: true,
  }),
  'drain-delay': seconds(0, 3600).default(0).register(settingMetadata, {
    help: 'seconds, when stopping, between becoming not ready (/readyz answers 503) and closing the sockets; for front ends with health checks',
  }),
  'touch-reload': list(path()).register(settingMetadata, {
    help: 'reload, worker by worker, when one of these files changes or appears',
    uwsgi: 'reloads everything at once when the file changes',
    differs: 'workers are replaced one after the other',
  }),
  'max-worker-lifetime': seconds(0, 31_536_000).default(0).register(settingMetadata, {
    help: 'seconds after which a worker drains and is replaced; 0 = never',
    uwsgi: 'replaces workers after this many seconds; rejected when below min-worker-lifetime',
    differs: 'the worker drains first',
  }),
  'reload-on-rss': integer(0, 1_048_576, 'MB').default(0).register(settingMetadata, {
    help: 'megabytes of memory at which a worker trims the event logs of large rooms and, if that is not enough, hands over to a new worker and drains; 0 = never',
    uwsgi: 'replaces a worker above this many megabytes, checked after each request',
    differs:
      'checked every 5 s; the worker drains first; only if it has grown by half of the limit since its start, and at most every 5 minutes',
  }),
  'evil-reload-on-rss': integer(0, 1_048_576, 'MB').default(0).register(settingMetadata, {
    help: 'megabytes of memory at which a worker trims the event logs of large rooms and, if that is not enough, is ended within 2 s, losing its rooms; 0 = never',
    uwsgi: 'kills a worker above this many megabytes at once',
    differs: 'its peers first get a close code to reconnect; only if it has grown by half of the limit since its start',
  }),
  'loop-harakiri': seconds(0, 86_400).default(0).register(settingMetadata, {
    help: 'seconds that the event loop of a worker may be blocked before the supervisor replaces it; 0 = no limit',
  }),
};
