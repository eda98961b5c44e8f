/** Flags and environment → settings, or every fault in them at once. Flags > environment > default. */
import { parseArgs } from 'node:util';
import { isList, type SettingName, type Settings, schema, settingNames } from './schema.ts';

export type Loaded = { settings: Settings } | { faults: string[] };
type Given = { value: string | string[]; source: string };

/** `GENKAN_` names are ours alone, so one that means nothing is a slip of the pen and said to be one. */
const prefix = 'GENKAN_';
/** Names that compose files and the test kit use for themselves. */
const foreign = new Set(['GENKAN_PORT', 'GENKAN_SUBNET']);

export const load = (argv: string[], environment: Record<string, string | undefined>): Loaded => {
  const faults: string[] = [];
  const given = new Map<SettingName, Given>([...fromEnvironment(environment, faults), ...fromFlags(argv, faults)]);
  const raw = Object.fromEntries([...given].map(([name, { value }]) => [name, value]));
  const checked = schema.safeParse(raw);
  if (!checked.success) for (const issue of checked.error.issues) faults.push(describe(issue, given));
  return checked.success && faults.length === 0 ? { settings: checked.data } : { faults };
};

/** The environment's name of a setting: `max-peers` → `GENKAN_MAX_PEERS`. */
export const environmentName = (name: SettingName): string => prefix + name.toUpperCase().replaceAll('-', '_');

const fromEnvironment = (environment: Record<string, string | undefined>, faults: string[]): [SettingName, Given][] => {
  const known = new Map(settingNames.map((name) => [environmentName(name), name]));
  const given: [SettingName, Given][] = [];
  for (const [source, text] of Object.entries(environment)) {
    if (!source.startsWith(prefix) || text === undefined || foreign.has(source)) continue;
    const name = known.get(source);
    if (name === undefined) faults.push(`${source}: there is no such setting`);
    // An empty variable is how compose files say "not set".
    else if (text !== '') given.push([name, { value: isList(name) ? text.split(/\s*,\s*/) : text, source }]);
  }
  return given;
};

const fromFlags = (argv: string[], faults: string[]): [SettingName, Given][] => {
  const options = Object.fromEntries(
    settingNames.map((name) => [name, { type: 'string' as const, multiple: isList(name) }]),
  );
  const { values, tokens } = parseArgs({ args: argv, options, strict: false, allowPositionals: true, tokens: true });
  for (const token of tokens) {
    if (token.kind === 'positional') faults.push(`${token.value}: not understood; settings are written --name value`);
    if (token.kind !== 'option') continue;
    if (!(token.name in options)) faults.push(`${token.rawName}: there is no such setting`);
    else if (token.value === undefined) faults.push(`${token.rawName}: a value is missing`);
  }
  return settingNames.flatMap((name) => {
    const value = values[name];
    const texts = (Array.isArray(value) ? value : [value]).filter((text) => typeof text === 'string');
    if (texts.length === 0) return [];
    return [[name, { value: isList(name) ? texts : (texts[0] ?? ''), source: `--${name}` }]];
  });
};

const describe = (issue: { path: PropertyKey[]; message: string }, given: Map<SettingName, Given>): string => {
  const name = settingNames.find((candidate) => candidate === issue.path[0]);
  const source = (name && given.get(name)?.source) ?? String(issue.path[0]);
  return `${source}: ${issue.message}`;
};
