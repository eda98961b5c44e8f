/** Settings: processes, their user, restarts and control. */
import { settingMetadata } from '../setting-metadata.ts';
import { flag, integer, list, path, seconds, text } from '../value-types.ts';

const user = (kind: string) => text(/^(\d+|[A-Za-z_][\w.-]*\$?)$/, `a ${kind}'s name or number`, kind.toUpperCase());

export const workers = {
  yaml: list(text(/^[^\0]+$/, 'file or file:section', 'FILE[:SECTION]')).register(settingMetadata, {
    help: 'read settings from a YAML file, below genkan: or uwsgi: or the section named; of several files the last wins',
    uwsgi: 'reads options below uwsgi: or the section named; later words of the command line win over earlier ones',
    differs: 'flags win over the environment and that over files, in whatever order; the file is checked strictly',
    also: ['yml', 'y'],
  }),
  chdir: path().optional().register(settingMetadata, {
    help: 'go to this directory first; other relative paths start there (those of yaml and of secrets where the command is run)',
    uwsgi: 'changes the directory before the app is loaded',
  }),
  master: flag()
    .optional()
    .register(settingMetadata, {
      help: 'a supervisor keeps the workers running and reloads them; not given = only when a setting needs it, such as processes, control-socket, touch-reload or a limit of a worker',
      uwsgi: 'starts a master, without which nothing is respawned or reloaded; off when not given',
      differs: 'comes by itself when something needs it',
      also: ['M'],
    }),
  processes: integer(1, 1024)
    .default(1)
    .register(settingMetadata, {
      help: 'workers; each listens on an address of its own (%w in a path, or port + worker), over which nginx spreads the rooms',
      uwsgi: 'workers, which share each listening socket',
      differs: 'a room lives in one worker, so each worker has its own address',
      also: ['workers', 'p'],
    }),
  uid: user('user').optional().register(settingMetadata, {
    help: 'become this user once everything is listened on',
    uwsgi: 'becomes this user, before unix sockets are bound',
    differs: 'sockets are bound first, so a directory of root is no hindrance',
  }),
  gid: user('group').optional().register(settingMetadata, {
    help: 'become this group once everything is listened on',
    uwsgi: 'becomes this group, before unix sockets are bound',
    differs: 'sockets are bound first',
  }),
  'allow-root': flag().default(false).register(settingMetadata, {
    help: 'go on as root when no uid is given',
  }),
  pidfile: path()
    .optional()
    .register(settingMetadata, {
      help: 'write the number of the supervisor here once it is ready',
      uwsgi: 'writes the pid here, even when the start then fails; safe-pidfile only after it succeeded',
      differs: 'as safe-pidfile: written once ready, never over that of one that runs',
      also: ['safe-pidfile'],
    }),
  'control-socket': path().optional().register(settingMetadata, {
    help: 'unix socket for the commands status, reload, stop and pause; one line of JSON each way, mode 600',
  }),
  'drain-timeout': seconds(0, 3600).default(10).register(settingMetadata, {
    help: 'seconds requests have to end after a stop was asked for',
  }),
  'drain-delay': seconds(0, 3600).default(0).register(settingMetadata, {
    help: 'seconds between no longer being ready (/readyz answers 503) and closing the sockets, when stopping; for front ends that ask',
  }),
  'touch-reload': list(path()).register(settingMetadata, {
    help: 'reload, worker by worker, when one of these files changes or appears',
    uwsgi: 'reloads everything at once when the file changes',
    differs: 'workers change over one after the other',
  }),
  'max-worker-lifetime': seconds(0, 31_536_000).default(0).register(settingMetadata, {
    help: 'seconds after which a worker drains and is replaced; 0 = never',
    uwsgi: 'replaces workers after so many seconds; refused when below min-worker-lifetime',
    differs: 'the worker drains first',
  }),
  'reload-on-rss': integer(0, 1_048_576, 'MB').default(0).register(settingMetadata, {
    help: 'megabytes of memory at which a worker shortens what large rooms keep for those who come back and, if that is not enough, hands over to another and drains; 0 = never',
    uwsgi: 'replaces a worker above so many megabytes, looked at after each request',
    differs:
      'looked at every 5 s; the worker drains first; only if it has grown by half of that since its start, and at most every 5 minutes',
  }),
  'evil-reload-on-rss': integer(0, 1_048_576, 'MB').default(0).register(settingMetadata, {
    help: 'megabytes of memory at which a worker shortens what large rooms keep and, if that is not enough, is ended within 2 s, its rooms with it; 0 = never',
    uwsgi: 'kills a worker above so many megabytes at once',
    differs: 'its peers are told to come back first; only if it has grown by half of that since its start',
  }),
  'loop-harakiri': seconds(0, 86_400).default(0).register(settingMetadata, {
    help: 'seconds a worker may be stuck before the supervisor replaces it; 0 = no limit',
  }),
};
