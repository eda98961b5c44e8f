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
    'check whether the settings are valid; with --nginx [nginx.conf] also run nginx -t',
  ],
  [
    'genkan reload [settings]',
    'reload the running server, found by --control-socket or --pidfile; with --nginx [nginx.conf] also nginx, after nginx -t and without cutting WebSockets; status, stop, pause and resume work the same way',
  ],
  [
    'genkan print-config [settings]',
    'print the settings in effect as YAML, with comments; --json-schema: a JSON Schema for editors',
  ],
  [
    'genkan token --room R [settings]',
    'make a token with --token-secret, or with --private-key FILE, and print only that; --room R may be given several times, and may be a prefix: class-*; --role host|guest, --name N, --subject S, --ttl 1h, --not-before 10m (from which --ttl counts), --once; --link https://meet.example: print a link with the token in it',
  ],
  [
    'genkan nginx [options] [settings]',
    'generate the files for nginx in front of an app with these settings; genkan nginx --help lists the options',
  ],
  [
    'genkan conform URL',
    'test any running server against the protocol, and report which guarantees it keeps (exit code 0) or breaks (1); --token T if one is required, --token-host T if tokens decide who is host (both for the rooms conform-*), --quick SECONDS: skip longer cases, --insecure: accept any certificate, --json',
  ],
  [
    'genkan doctor https://meet.example[/path/] [options]',
    'connect like a browser, and report problems with the line to change; exit code 1 if there are any; genkan doctor --help lists the options',
  ],
  ['genkan explain [OPTION]', 'what a setting does, or how an option of uWSGI is handled; without OPTION, all of them'],
  ['genkan --help | --version', 'this help, or the version'],
] as const;

const rules = [
  'A setting is a flag (--max-peers 5), a variable (GENKAN_MAX_PEERS=5) or a line of YAML (max-peers: 5) in a file given by --yaml. Flags override the environment, which overrides files, which override defaults; a list is replaced, not extended.',
  `In a variable, several values are separated by commas. In YAML they are a list, and \${NAME}, \${NAME:-default} and $(NAME) are read from the environment.`,
  'Exit codes: 0 done; 1 failed, did not wait for the end of a drain, or check-config found faults (as nginx -t does); 2 invalid settings or command.',
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
