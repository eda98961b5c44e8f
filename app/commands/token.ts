/** `genkan token`: makes a token, or a link that contains one, signed with the secret of the settings or a private key. */
import { parseArgs } from 'node:util';
import { signingSecret } from '../auth/keys.ts';
import { signToken, tokenRequest } from '../auth/mint.ts';
import { signingKey } from '../auth/token-keys.ts';
import { messageOf } from '../config/result.ts';
import type { Settings } from '../config/schema.ts';
import { roomName } from '../protocol/messages.ts';
import type { CommandResult } from './command-result.ts';

/** Values of the token options, by name; all other words are settings. */
type TokenCommand = Record<string, string[]>;

const value = { type: 'string' } as const;
const options = {
  room: value,
  role: value,
  name: value,
  subject: value,
  ttl: value,
  'not-before': value,
  'private-key': value,
  link: value,
  once: { type: 'boolean' },
} as const;

/** Separates the options of the token from the settings, which `load` reads. */
export const parseTokenCommand = (
  words: string[],
): { request: TokenCommand; rest: string[] } | { faults: string[] } => {
  const request: TokenCommand = {};
  const faults: string[] = [];
  const used = new Set<number>();
  const { tokens } = parseArgs({ args: words, options, strict: false, tokens: true });
  for (const token of tokens) {
    if (token.kind !== 'option' || !Object.hasOwn(options, token.name)) continue;
    const { name, value: given, inlineValue, index } = token;
    used.add(index);
    if (given !== undefined && !inlineValue) used.add(index + 1);
    if (name === 'once' && inlineValue) faults.push('--once: takes no value');
    else if (name !== 'once' && (given === undefined || (!inlineValue && given.startsWith('-'))))
      faults.push(`--${name}: a value is missing`);
    else request[name] = [...(request[name] ?? []), ...(given === undefined ? [] : [given])];
  }
  return faults.length > 0 ? { faults } : { request, rest: words.filter((_, index) => !used.has(index)) };
};

/** The token or the link as a single line, or the faults. @param now ms since 1970 */
export const makeToken = async (request: TokenCommand, settings: Settings, now: number): Promise<CommandResult> => {
  const last = (name: string) => request[name]?.at(-1);
  const parsed = tokenRequest.safeParse({
    room: request.room ?? [],
    role: last('role'),
    name: last('name'),
    subject: last('subject'),
    ttl: last('ttl'),
    'not-before': last('not-before'),
    once: 'once' in request,
  });
  if (!parsed.success)
    return { faults: parsed.error.issues.map(({ path, message }) => `--${String(path[0])}: ${message}`) };
  try {
    const link = last('link');
    const page = link === undefined ? undefined : pageOf(link, parsed.data.room);
    const key = keyOf(last('private-key'), settings);
    const { 'token-issuer': issuer, 'token-audience': audience } = settings;
    const token = await signToken(parsed.data, key, { issuer, audience }, now);
    // In the fragment, which browsers do not send: it reaches no server and no log.
    return { text: page === undefined ? token : `${page}#token=${token}` };
  } catch (error) {
    return { faults: [messageOf(error)] };
  }
};

const keyOf = (path: string | undefined, settings: Settings) => {
  if (path !== undefined) return signingKey(path);
  const [secret] = settings['token-secret'];
  if (secret !== undefined) return signingSecret(secret);
  throw new Error('no signing key; pass --private-key FILE, or --token-secret_file FILE as the server has it');
};

/** @param site URL of Genkan's start page */
const pageOf = (site: string, rooms: string[]): string => {
  if (!/^https?:\/\/[^?#]+$/.test(site) || !URL.canParse(site))
    throw new Error('--link: must be the URL of the page, such as https://meet.example');
  const [room = ''] = rooms;
  if (rooms.length > 1 || !roomName.safeParse(room).success)
    throw new Error('--link: a link is for one room; pass a single --room without "*"');
  return new URL(`rooms/${encodeURIComponent(room)}`, site.endsWith('/') ? site : `${site}/`).href;
};
