/** The text of `genkan --help`, generated from the schema: the common settings, or with `--all` every setting. */
import type { z } from 'zod';
import { groups } from './schema.ts';
import { type Groups, metadataOf, showDefault } from './setting-metadata.ts';
import { columns, width, wrap } from './text-columns.ts';
import { valueTypeOf } from './value-types.ts';

/** Details and options are shown by the help of the command and by `--help --all`. */
type Usage = [words: string, summary: string, details?: string, options?: [term: string, text: string][]];

const usage: Usage[] = [
  ['genkan [serve] [settings]', 'run the server', 'without a listener: --http 127.0.0.1:9090'],
  [
    'genkan check-config [settings]',
    'check whether the settings are valid',
    'with --nginx [nginx.conf] also run nginx -t',
  ],
  [
    'genkan reload [settings]',
    'reload the running server; also: status, stop, pause, resume',
    'the server is found by --control-socket or --pidfile; reload --nginx [nginx.conf]: also nginx, after nginx -t and without cutting WebSockets',
  ],
  [
    'genkan print-config [settings]',
    'print the settings in effect as YAML, with comments',
    '--json-schema: a JSON Schema for editors',
  ],
  [
    'genkan token --room R [settings]',
    'print a token made with --token-secret or --private-key FILE',
    'its options:',
    [
      ['--room NAME', 'room that the token admits to; may be given several times, and may be a prefix: class-*'],
      ['--role host|guest', 'role in the room; when not set, the first peer of a room is host'],
      ['--name NAME', 'name of the peer; without it, the peer chooses one'],
      ['--subject ID', 'id of the person in your system (claim sub)'],
      ['--ttl TIME', 'how long the token is valid, such as 90s, 15m, 2h or 7d (default 1h)'],
      ['--not-before TIME', 'time until the token becomes valid; --ttl counts from then'],
      ['--once', 'the token can be used once'],
      ['--private-key FILE', 'PEM file with the private key that signs'],
      ['--link URL', 'print a link to the room, with the token in it; URL of the start page'],
    ],
  ],
  [
    'genkan nginx [options] [settings]',
    "generate nginx's files for an app with these settings",
    'genkan nginx --help lists the options',
  ],
  [
    'genkan conform URL',
    'test any running server against the protocol',
    'reports which guarantees it keeps (exit code 0) or breaks (1); its options:',
    [
      ['--token TOKEN', 'token for the rooms conform-*, if the server requires one'],
      ['--token-host TOKEN', 'token of a host for these rooms, if tokens decide who is host'],
      ['--quick SECONDS', 'skip cases that take longer'],
      ['--insecure', 'accept any certificate'],
      ['--json', 'print the results as JSON'],
    ],
  ],
  [
    'genkan doctor URL [options]',
    'connect like a browser, and report problems and their fixes',
    'exit code 1 if there are any; URL such as https://meet.example[/path/]; genkan doctor --help lists the options',
  ],
  ['genkan explain [NAME]', 'what a setting does, or how an option of uWSGI is handled', 'without NAME, all of them'],
  ['genkan COMMAND --help', 'more about a command'],
  ['genkan --help [--all] | --version', 'the common settings, or all of them; the version'],
];

const howToSet =
  'A setting is a flag (--max-peers 5), a variable (GENKAN_MAX_PEERS=5) or a line of YAML (max-peers: 5) in a file given by --yaml. Flags override the environment, which overrides files, which override defaults; a list is replaced, not extended.';
const furtherRules = [
  `In a variable, several values are separated by commas. In YAML they are a list, and \${NAME}, \${NAME:-default} and $(NAME) are read from the environment.`,
  'Exit codes: 0 done; 1 failed, did not wait for the end of a drain, or check-config found faults (as nginx -t does); 2 invalid settings or command.',
];

const more = 'genkan --help --all lists every setting; genkan explain NAME explains one.';

/** @param all every setting and all details, instead of the common settings on two screens */
export const helpText = (all: boolean): string =>
  [
    ...usage.flatMap((command) => usageLines(command, all)),
    ...[howToSet, ...(all ? furtherRules : [])].flatMap((rule) => ['', ...wrap(rule, width)]),
    '',
    settingsText(groups, all),
    ...(all ? [] : ['', more]),
  ].join('\n');

/** A command with its details; undefined when it has none. */
export const commandHelp = (name: string): string | undefined => {
  const command = usage.find(([words, , details]) => details !== undefined && words.startsWith(`genkan ${name} `));
  return command && [...usageLines(command, true), '', more].join('\n');
};

const usageLines = ([words, summary, details, options = []]: Usage, all: boolean): string[] => [
  ...columns(words, all && details ? `${summary}; ${details}` : summary, 37),
  ...(all ? options.flatMap(([term, text]) => columns(`  ${term}`, text, 37)) : []),
];

/** The groups under their titles, separated by empty lines; without `all` only the common settings. */
export const settingsText = (shown: Groups, all = true): string =>
  Object.entries(shown)
    .flatMap(([title, settings]) => {
      const listed = Object.entries(settings).filter(([, setting]) => all || metadataOf(setting).common);
      const lines = listed.flatMap(([name, setting]) => columns(...termOf(name, setting), 32));
      return lines.length > 0 ? [[`${title}:`, ...lines].join('\n')] : [];
    })
    .join('\n\n');

const termOf = (name: string, setting: z.core.$ZodType): [string, string] => {
  const { help, also, secret } = metadataOf(setting);
  const letter = also?.find((other) => other.length === 1);
  const extras = [showDefault(setting), secret && `or --${name}_file PATH`].filter(Boolean);
  const term = `${letter ? `-${letter}, ` : ''}--${name} ${valueTypeOf(setting).shown}`;
  return [term, extras.length > 0 ? `${help} (${extras.join('; ')})` : help];
};
