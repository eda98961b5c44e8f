#!/usr/bin/env node
/** The command line: argv → what to do. The only place that exits. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { verificationKeys } from './auth/token-keys.ts';
import { type CommandName, command } from './commands/control.ts';
import { nginxFiles, writeFiles } from './commands/nginx.ts';
import { makeToken, parseTokenCommand } from './commands/token.ts';
import { explain, explainAll } from './config/explain.ts';
import { helpText, settingsText } from './config/help.ts';
import { jsonSchema } from './config/json-schema.ts';
import { type Loaded, load } from './config/load.ts';
import { printConfig } from './config/print.ts';
import type { Settings } from './config/schema.ts';
import { suggest } from './config/suggest.ts';
import { options as doctorOptions, readWords } from './doctor/options.ts';
import { isWell, jsonReport, showReport } from './doctor/report.ts';
import { options as nginxOptions } from './nginx/options.ts';
import { impossibleToRun } from './process/process-mode.ts';
import { run } from './process/run.ts';

type Sound = Extract<Loaded, { settings: Settings }>;

/** Exit codes: 0 done, 1 could not go on, 2 the settings or the command are wrong. */
const main = async (argv: string[]): Promise<number> => {
  if (argv.includes('--help') || argv.includes('-h')) return say(helps[argv[0] ?? '']?.() ?? helpText());
  if (argv.includes('--version') || argv.includes('-v')) return say(`genkan ${version()}`);
  const [command = 'serve', ...rest] = argv[0]?.startsWith('-') === false ? argv : ['serve', ...argv];
  const known = Object.hasOwn(commands, command) ? commands[command] : undefined;
  if (known) return known(rest);
  const near = suggest(command, Object.keys(commands));
  return fail([`${command}: there is no such command${near ? `; did you mean ${near}?` : ''}`]);
};

const commands: Record<string, (words: string[]) => number | Promise<number>> = {
  serve: (words) => {
    const startedIn = process.cwd();
    return withSettings(words, ({ settings }) => serve(settings, () => loadAgain(words, startedIn)));
  },
  // Started by a supervisor, never by hand: it is told everything else.
  worker: async () => (await import('./process/supervisor/worker-main.ts')).runWorker(),
  status: (words) => tell('status', words),
  reload: (words) => {
    const { rest, nginx } = takeNginx(words);
    return nginx ? reloadBoth(rest, nginx.file) : tell('reload', words);
  },
  stop: (words) => tell('stop', words),
  pause: (words) => tell('pause', words),
  resume: (words) => tell('resume', words),
  'check-config': (words) => {
    const { rest, nginx } = takeNginx(words);
    // 1, not 2: as nginx -t, which scripts ask in the same breath.
    const sound = withSettings(rest, ({ settings }) => checkKeys(settings), 1);
    return nginx ? Math.max(Number(sound), testNginx(nginx.file)) : sound;
  },
  token: (words) => {
    const { asked, rest } = parseTokenCommand(words);
    return withSettings(rest, async ({ settings }) => {
      const made = await makeToken(asked, settings, Date.now());
      return 'faults' in made ? fail(made.faults) : say(made.text);
    });
  },
  'print-config': (words) => {
    if (words.includes('--json-schema')) return say(JSON.stringify(jsonSchema(), null, 2));
    return withSettings(words, ({ given }) => say(printConfig(given)));
  },
  nginx: (words) => {
    const found = nginxFiles(words, process.env);
    for (const note of found.notes) process.stderr.write(`genkan: warning: ${note}\n`);
    if ('faults' in found) return fail(found.faults);
    try {
      return say(writeFiles(found.files, found.out).trimEnd());
    } catch (error) {
      return fail([`--out: ${error instanceof Error ? error.message : error}`], 1);
    }
  },
  conform: async (words) => {
    const { conform } = await import('./commands/conform.ts');
    const told = await conform(words);
    return 'fault' in told ? fail([told.fault], told.code) : Math.max(say(told.text), told.code);
  },
  doctor: async (words) => {
    const asked = readWords(words);
    for (const note of asked.notes) process.stderr.write(`genkan: warning: ${note}\n`);
    if ('faults' in asked) return fail(asked.faults);
    const { runChecks: examine } = await import('./doctor/run.ts');
    const report = await examine(asked.site);
    say(asked.json ? jsonReport(report) : showReport(report));
    return isWell(report) ? 0 : 1;
  },
  explain: ([option]) => {
    const found = option === undefined ? { text: explainAll() } : explain(option);
    return 'fault' in found ? fail([found.fault]) : say(found.text);
  },
};

/** Keys are in files of their own, which are read when the server starts. */
const checkKeys = (settings: Settings): number => {
  try {
    verificationKeys(settings);
    return say('The settings are sound.');
  } catch (error) {
    return fail([error instanceof Error ? error.message : String(error)], 1);
  }
};

/** Loads the settings and goes to their directory; tells what is to be told. */
const withSettings = <T>(words: string[], then: (sound: Sound) => T, faulty = 2): T | number => {
  const loaded = load(words, process.env);
  for (const note of loaded.notes) process.stderr.write(`genkan: warning: ${note}\n`);
  if ('faults' in loaded) return fail(loaded.faults, faulty);
  const directory = loaded.settings.chdir;
  try {
    if (directory !== undefined) process.chdir(directory);
  } catch {
    const place = loaded.given.get('chdir')?.source ?? 'chdir';
    return fail([`${place}: cannot go to the directory ${directory}`], faulty);
  }
  const sound = withListener(loaded);
  const faults = impossibleToRun(sound.settings);
  return faults.length > 0 ? fail(faults, faulty) : then(sound);
};

/** For a reload: paths of files to read are those of the start, whatever `chdir` said since. */
const loadAgain = (words: string[], startedIn: string): Loaded => {
  const here = process.cwd();
  try {
    process.chdir(startedIn);
    const loaded = load(words, process.env);
    return 'faults' in loaded ? loaded : withListener(loaded);
  } catch (error) {
    return { faults: [`${startedIn}: ${error instanceof Error ? error.message : error}`], notes: [] };
  } finally {
    process.chdir(here);
  }
};

/** Someone who gives no address wants to see the page on this machine. */
const withListener = (sound: Sound): Sound => {
  const { settings } = sound;
  if (settings.http.length + settings['http-socket'].length + settings.socket.length > 0) return sound;
  // systemd opened what there is to listen on.
  if (Number(process.env.LISTEN_PID) === process.pid) return sound;
  const source = 'the default without any listener';
  const http = { name: 'http', parts: [{ value: '127.0.0.1:9090', source }], source, fromFile: false };
  return {
    ...sound,
    settings: { ...settings, http: [{ kind: 'tcp', host: '127.0.0.1', port: 9090 }] },
    given: new Map([...sound.given, ['http', http]]),
  };
};

const serve = async (settings: Settings, reload: () => Loaded): Promise<number> => {
  try {
    return await run({ settings, reload, say });
  } catch (error) {
    return fail([error instanceof Error ? error.message : String(error)], 1);
  }
};

/** Asks the server that runs with these settings. */
const tell = (name: CommandName, words: string[]): number | Promise<number> =>
  withSettings(words, async ({ settings }) => {
    const { code, text } = await command(name, settings);
    return code === 0 ? say(text) : fail([text], code);
  });

/** `--nginx`, `--nginx FILE` or `--nginx=FILE`, which is a word of check-config and reload and no setting. */
const takeNginx = (words: string[]): { rest: string[]; nginx?: { file?: string } } => {
  const at = words.findIndex((word) => /^--nginx(=|$)/.test(word));
  if (at < 0) return { rest: words };
  const [word = '', next] = words.slice(at);
  const inline = word.slice('--nginx='.length);
  const follows = !word.includes('=') && next !== undefined && !next.startsWith('-');
  const file = follows ? next : inline;
  return { rest: words.toSpliced(at, follows ? 2 : 1), nginx: file ? { file: resolve(file) } : {} };
};

const testNginx = (file: string | undefined): number => runNginx(['-t'], file);

/**
 * nginx first, then the app: nginx's old workers keep the WebSockets that they have and cut them when worker_shutdown_timeout is
 * over. The app tells everyone to come back, and they come to the new workers.
 */
const reloadBoth = (words: string[], file: string | undefined): number | Promise<number> => {
  const code = testNginx(file) || runNginx(['-s', 'reload'], file);
  return code === 0 ? tell('reload', words) : code;
};

/** What nginx says goes to stderr as it is. */
const runNginx = (words: string[], file: string | undefined): number => {
  const { error, status } = spawnSync('nginx', [...words, ...(file === undefined ? [] : ['-c', file])], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (error) return fail([`nginx ${words.join(' ')} cannot be run: ${error.message}`], 1);
  return status === 0 ? 0 : 1;
};

/** Commands with options of their own. */
const helps: Record<string, () => string> = {
  nginx: () =>
    settingsText({ "genkan nginx, which takes the app's own settings as well (genkan --help)": nginxOptions }),
  doctor: () => settingsText({ 'genkan doctor https://meet.example': doctorOptions }),
};

const version = (): string => {
  const { version: text }: { version: string } = JSON.parse(
    readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
  );
  return text;
};

const say = (text: string): number => {
  process.stdout.write(`${text}\n`);
  return 0;
};

const fail = (faults: string[], code = 2): number => {
  for (const fault of faults) process.stderr.write(`genkan: ${fault}\n`);
  if (code === 2) process.stderr.write('genkan --help lists every setting.\n');
  return code;
};

// Output that nothing takes (a closed pipe, a full disk) must not end a server that runs.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
process.exit(await main(process.argv.slice(2)));
