#!/usr/bin/env node
/** The command line: argv → what to do. The only place that exits. */
import { readFileSync } from 'node:fs';
import { environmentName, load } from './config/load.ts';
import { isList, schema, settingNames } from './config/schema.ts';
import { untilStopped } from './ops/lifecycle.ts';
import { createLogger, serve } from './serve.ts';

/** Exit codes: 0 done, 1 could not go on, 2 the settings are wrong. */
const main = async (argv: string[]): Promise<number> => {
  if (argv.includes('--help') || argv.includes('-h')) return say(help());
  if (argv.includes('--version') || argv.includes('-v')) return say(`genkan ${version()}`);
  const [command, ...rest] = argv[0]?.startsWith('-') === false ? argv : ['serve', ...argv];
  if (command !== 'serve' && command !== 'check-config') return fail([`${command}: there is no such command`]);
  const loaded = load(rest, process.env);
  if ('faults' in loaded) return fail(loaded.faults);
  if (command === 'check-config') return say('The settings are sound.');
  return run(loaded.settings);
};

type Settings = Parameters<typeof serve>[0];

const run = async (given: Settings): Promise<number> => {
  const listens = given.http.length + given['http-socket'].length + given.socket.length > 0;
  const settings: Settings = listens ? given : { ...given, http: [{ kind: 'tcp', host: '127.0.0.1', port: 9090 }] };
  const logger = createLogger(settings);
  try {
    const running = await serve(settings, logger);
    for (const { setting, address, url } of running.listening) logger.info({ setting, address, url }, 'listening');
    const url = running.listening.find(({ setting }) => setting === 'http')?.url;
    if (url) say(`Genkan is at ${url}`);
    return await untilStopped(running.stop, logger);
  } catch (error) {
    return fail([error instanceof Error ? error.message : String(error)], 1);
  }
};

const help = (): string => {
  const lines = settingNames.map((name) => {
    const { description, def } = schema.shape[name];
    const preset = isList(name) ? 'may be given several times' : `default ${String(def.defaultValue)}`;
    return `  --${name} VALUE\n      ${description} (${preset}; ${environmentName(name)})`;
  });
  return [
    'genkan [serve] [settings]      run the server; without a listener: --http 127.0.0.1:9090',
    'genkan check-config [settings] say whether the settings are sound',
    'genkan --help | --version',
    '',
    'Settings, each as a flag or from the environment; flags win:',
    ...lines,
  ].join('\n');
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

process.exit(await main(process.argv.slice(2)));
