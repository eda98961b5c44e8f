#!/usr/bin/env node
/** The command line: dispatches argv to a command. The only module that exits the process. */
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { verificationKeys } from './auth/token-keys.ts';
import type { CommandResult } from './commands/command-result.ts';
import { type CommandName, command } from './commands/control.ts';
import { idleTimeWarnings, nginxFiles, writeFiles } from './commands/nginx.ts';
import { makeToken, parseTokenCommand } from './commands/token.ts';
import { explain, explainAll } from './config/explain.ts';
import { commandHelp, helpText, settingsText } from './config/help.ts';
import { jsonSchema } from './config/json-schema.ts';
import { type Loaded, load } from './config/load.ts';
import { printConfig } from './config/print.ts';
import { messageOf } from './config/result.ts';
import type { Settings } from './config/schema.ts';
import { suggest } from './config/suggest.ts';
import { options as doctorOptions, readWords } from './doctor/options.ts';
import { isWell, jsonReport, showReport } from './doctor/report.ts';
import { options as nginxOptions } from './nginx/options.ts';
import { impossibleToRun } from './process/process-mode.ts';
import { run } from './process/run.ts';
import { mapStacks } from './process/source-maps.ts';
import { version } from './process/version.ts';

type ValidSettings = Extract<Loaded, { settings: Settings }>;

/** Exit codes: 0 done, 1 failed, 2 invalid settings or command. */
const main = async (argv: string[]): Promise<number> => {
  if (argv.includes('--help') || argv.includes('-h')) return say(helpFor(argv));
  if (argv.includes('--version') || argv.includes('-v')) return say(`genkan ${version()}`);
  const [command = 'serve', ...rest] = argv[0]?.startsWith('-') === false ? argv : ['serve', ...argv];
  const known = Object.hasOwn(commands, command) ? commands[command] : undefined;
  if (known) return known(rest);
  const nearest = suggest(command, Object.keys(commands));
  return fail([`${command}: there is no such command${nearest ? `; did you mean ${nearest}?` : ''}`]);
};

const commands: Record<string, (words: string[]) => number | Promise<number>> = {
  serve: (words) => {
    const startedIn = process.cwd();
    return withSettings(words, ({ settings }) => serve(settings, () => loadAgain(words, startedIn)));
  },
  // Started by a supervisor, never by hand; everything else arrives over IPC.
  worker: async () => (await import('./process/supervisor/worker-main.ts')).runWorker(),
  status: (words) => sendCommand('status', words),
  reload: (words) => {
    const { rest, nginx } = takeNginx(words);
    return nginx ? reloadBoth(rest, nginx.file) : sendCommand('reload', words);
  },
  stop: (words) => sendCommand('stop', words),
  pause: (words) => sendCommand('pause', words),
  resume: (words) => sendCommand('resume', words),
  'check-config': (words) => {
    const { rest, nginx } = takeNginx(words);
    // 1, not 2: the same as nginx -t, which scripts run together with it.
    let valid: Settings | undefined;
    const code = withSettings(
      rest,
      ({ settings }) => {
        valid = settings;
        return checkKeys(settings);
      },
      1,
    );
    if (!nginx) return code;
    const nginxCode = testNginx(nginx.file);
    if (valid && nginxCode === 0) warnOfIdleTimes(nginx.file, valid);
    return Math.max(Number(code), nginxCode);
  },
  token: (words) => {
    const parsed = parseTokenCommand(words);
    if ('faults' in parsed) return fail(parsed.faults, 2, helpHint('token'));
    return withSettings(parsed.rest, async ({ settings }) =>
      print(await makeToken(parsed.request, settings, Date.now()), helpHint('token')),
    );
  },
  'print-config': (words) => {
    if (words.includes('--json-schema')) return say(JSON.stringify(jsonSchema(), null, 2));
    return withSettings(words, ({ given }) => say(printConfig(given)));
  },
  nginx: (words) => {
    const found = nginxFiles(words, process.env);
    for (const note of found.notes) process.stderr.write(`genkan: warning: ${note}\n`);
    if ('faults' in found) return fail(found.faults, 2, helpHint('nginx'));
    try {
      return say(writeFiles(found.files, found.out).trimEnd());
    } catch (error) {
      return fail([`--out: ${messageOf(error)}`], 1);
    }
  },
  conform: async (words) => {
    const { conform } = await import('./commands/conform.ts');
    return print(await conform(words));
  },
  doctor: async (words) => {
    const parsed = readWords(words);
    for (const note of parsed.notes) process.stderr.write(`genkan: warning: ${note}\n`);
    if ('faults' in parsed) return fail(parsed.faults, 2, helpHint('doctor'));
    const { runChecks } = await import('./doctor/run.ts');
    const report = await runChecks(parsed.site);
    say(parsed.json ? jsonReport(report) : showReport(report));
    return isWell(report) ? 0 : 1;
  },
  explain: ([option]) => print(option === undefined ? { text: explainAll() } : explain(option)),
};

/** Reads the key files, as the server does at its start. */
const checkKeys = (settings: Settings): number => {
  try {
    verificationKeys(settings);
    return say('configuration OK');
  } catch (error) {
    return fail([messageOf(error)], 1);
  }
};

/** Loads the settings, prints warnings and faults, and changes to their directory. */
const withSettings = <T>(words: string[], then: (valid: ValidSettings) => T, failureCode = 2): T | number => {
  const loaded = load(words, process.env);
  for (const note of loaded.notes) process.stderr.write(`genkan: warning: ${note}\n`);
  if ('faults' in loaded) return fail(loaded.faults, failureCode);
  const directory = loaded.settings.chdir;
  try {
    if (directory !== undefined) process.chdir(directory);
  } catch {
    const source = loaded.given.get('chdir')?.source ?? 'chdir';
    return fail([`${source}: cannot change to the directory ${directory}`], failureCode);
  }
  const valid = withListener(loaded);
  const faults = impossibleToRun(valid.settings);
  return faults.length > 0 ? fail(faults, failureCode) : then(valid);
};

/** For a reload: relative paths of settings files resolve as at the start, before `chdir`. */
const loadAgain = (words: string[], startedIn: string): Loaded => {
  const current = process.cwd();
  try {
    process.chdir(startedIn);
    const loaded = load(words, process.env);
    return 'faults' in loaded ? loaded : withListener(loaded);
  } catch (error) {
    return { faults: [`${startedIn}: ${messageOf(error)}`], notes: [] };
  } finally {
    process.chdir(current);
  }
};

/** Without any listen address, listens on 127.0.0.1:9090. */
const withListener = (loaded: ValidSettings): ValidSettings => {
  const { settings } = loaded;
  if (settings.http.length + settings['http-socket'].length + settings.socket.length > 0) return loaded;
  // systemd passes the sockets to listen on.
  if (Number(process.env.LISTEN_PID) === process.pid) return loaded;
  const source = 'the default without any listener';
  const http = { name: 'http', parts: [{ value: '127.0.0.1:9090', source }], source, fromFile: false };
  return {
    ...loaded,
    settings: { ...settings, http: [{ kind: 'tcp', host: '127.0.0.1', port: 9090 }] },
    given: new Map([...loaded.given, ['http', http]]),
  };
};

const serve = async (settings: Settings, reload: () => Loaded): Promise<number> => {
  try {
    return await run({ settings, reload, say });
  } catch (error) {
    return fail([messageOf(error)], 1);
  }
};

/** Sends the command to the server that runs with these settings. */
const sendCommand = (name: CommandName, words: string[]): number | Promise<number> =>
  withSettings(words, async ({ settings }) => print(await command(name, settings)));

/** `--nginx`, `--nginx FILE` or `--nginx=FILE`: an option of check-config and reload, not a setting. */
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

/** Only where nginx connects by HTTP: by uwsgi no connection is used again. */
const warnOfIdleTimes = (file: string | undefined, settings: Settings): void => {
  if (settings['http-socket'].length === 0) return;
  const { stdout } = spawnSync('nginx', ['-T', ...fileWords(file)], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  for (const warning of idleTimeWarnings(stdout ?? '', settings)) process.stderr.write(`genkan: warning: ${warning}\n`);
};

const fileWords = (file: string | undefined): string[] => (file === undefined ? [] : ['-c', file]);

/**
 * nginx first, then the app: nginx's old workers keep their WebSockets and cut them after worker_shutdown_timeout. The app's
 * reload makes all peers reconnect, and they reach nginx's new workers.
 */
const reloadBoth = (words: string[], file: string | undefined): number | Promise<number> => {
  const code = testNginx(file) || runNginx(['-s', 'reload'], file);
  return code === 0 ? sendCommand('reload', words) : code;
};

/** nginx's output goes to stderr unchanged. */
const runNginx = (words: string[], file: string | undefined): number => {
  const { error, status } = spawnSync('nginx', [...words, ...fileWords(file)], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (error) return fail([`nginx ${words.join(' ')} cannot be run: ${error.message}`], 1);
  return status === 0 ? 0 : 1;
};

const helpFor = (argv: string[]): string => {
  const [command = ''] = argv;
  const all = argv.includes('--all');
  return helps[command]?.() ?? (all ? undefined : commandHelp(command)) ?? helpText(all);
};

/** Help of the commands whose options have a schema of their own. */
const helps: Record<string, () => string> = {
  nginx: () =>
    settingsText({ 'genkan nginx, which also takes the settings of the app (genkan --help --all)': nginxOptions }),
  doctor: () => settingsText({ 'genkan doctor https://meet.example': doctorOptions }),
};

const say = (text: string): number => {
  process.stdout.write(`${text}\n`);
  return 0;
};

const helpHint = (command: string): string => `genkan ${command} --help lists its options.`;

/** @param hint printed after faults in the arguments @returns the exit code */
const print = (result: CommandResult, hint?: string): number =>
  'faults' in result ? fail(result.faults, result.code, hint) : Math.max(say(result.text), result.code ?? 0);

const fail = (faults: string[], code = 2, hint = 'genkan --help --all lists every setting.'): number => {
  for (const fault of faults) process.stderr.write(`genkan: ${fault}\n`);
  if (code === 2) process.stderr.write(`${hint}\n`);
  return code;
};

mapStacks();
// A failed write (closed pipe, full disk) must not end a running server.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
main(process.argv.slice(2)).then((code) => process.exit(code));
