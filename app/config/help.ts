/** The text of `genkan --help`, generated from the schema. */
import type { z } from 'zod';
import { groups } from './schema.ts';
import { type Groups, metadataOf, showDefault } from './setting-metadata.ts';
import { columns, width, wrap } from './text-columns.ts';
import { valueTypeOf } from './value-types.ts';

const usage = [
  ['genkan [serve] [settings]', 'run the server; without a listener: --http 127.0.0.1:9090'],
  [
    'genkan check-config [settings]',
    'say whether the settings are sound; with --nginx [nginx.conf] run nginx -t as well',
  ],
  [
    'genkan reload [settings]',
    'ask the running server, by --control-socket or --pidfile, to reload; with --nginx [nginx.conf] nginx as well, after nginx -t, and so that no WebSocket is cut; status, stop, pause and resume are asked likewise',
  ],
  [
    'genkan print-config [settings]',
    'the settings in effect as YAML, with comments; --json-schema: a schema for editors',
  ],
  [
    'genkan token --room R [settings]',
    'make a token with --token-secret, or with --private-key FILE, and print it alone; --room R may be given several times, and be the beginning of names: class-*; --role host|guest, --name N, --subject S, --ttl 1h, --not-before 10m (from which --ttl counts), --once; --link https://meet.example: print a link with the token in it',
  ],
  [
    'genkan nginx [options] [settings]',
    'the files for nginx before the app that these settings make; genkan nginx --help lists the options',
  ],
  [
    'genkan conform URL',
    'run the spec of the protocol against any running server, and say which guarantees it keeps (code 0) or breaks (1); --token T where one is needed, --token-host T where tokens say who is host (both for the rooms conform-*), --quick SECONDS: leave out what lasts longer, --insecure: any certificate will do, --json',
  ],
  [
    'genkan doctor https://meet.example[/path/] [options]',
    'connect as a browser would, and name what is wrong and the line to change; exit code 1 when something is; genkan doctor --help lists the options',
  ],
  ['genkan explain [OPTION]', "what a setting or an option of uWSGI's does here; without OPTION, all of them"],
  ['genkan --help | --version', 'this; or the version'],
] as const;

const rules = [
  'A setting is a flag (--max-peers 5), a variable (GENKAN_MAX_PEERS=5) or a line of YAML (max-peers: 5), in a file given by --yaml. Flags win over the environment, that over files, and those over defaults; a list is replaced, not made longer.',
  `In a variable, several values are separated by commas. In YAML they are a list, and \${NAME}, \${NAME:-default} and $(NAME) are read from the environment.`,
  'Exit codes: 0 done; 1 could not go on, did not wait for the end of a drain, or check-config found faults (as nginx -t does); 2 the settings or the command are wrong.',
];

export const helpText = (shown: Groups = groups): string =>
  [
    ...usage.flatMap(([words, text]) => columns(words, text, 36)),
    ...rules.flatMap((rule) => ['', ...wrap(rule, width)]),
    '',
    settingsText(shown),
  ].join('\n');

/** The groups under their titles, separated by empty lines. */
export const settingsText = (shown: Groups): string =>
  Object.entries(shown)
    .map(([title, settings]) =>
      [
        `${title}:`,
        ...Object.entries(settings).flatMap(([name, setting]) => columns(...termOf(name, setting), 32)),
      ].join('\n'),
    )
    .join('\n\n');

const termOf = (name: string, setting: z.core.$ZodType): [string, string] => {
  const { help, also, planned, secret } = metadataOf(setting);
  const letter = also?.find((other) => other.length === 1);
  const extras = [
    showDefault(setting),
    ...(secret ? [`or --${name}_file PATH`] : []),
    ...(planned === true ? ['not in this version yet'] : []),
  ];
  return [`${letter ? `-${letter}, ` : ''}--${name} ${valueTypeOf(setting).shown}`, `${help} (${extras.join('; ')})`];
};
