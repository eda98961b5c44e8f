/** `genkan token`: makes a token, or a link that contains one, signed with the secret of the settings or a private key. */
import { signingSecret } from '../auth/keys.ts';
import { signToken, tokenRequest } from '../auth/mint.ts';
import { signingKey } from '../auth/token-keys.ts';
import { messageOf } from '../config/result.ts';
import type { Settings } from '../config/schema.ts';
import { roomName } from '../protocol/messages.ts';
import type { CommandResult } from './command-result.ts';

/** Values of the token options, by name; all other words are settings. */
export type TokenCommand = Record<string, string[]>;

const optionsWithValue = ['room', 'role', 'name', 'subject', 'ttl', 'not-before', 'private-key', 'link'];

/** Separates the options of the token (`--room R`, `--room=R`, `--once`) from the settings. */
export const parseTokenCommand = (words: string[]): { request: TokenCommand; rest: string[] } => {
  const request: TokenCommand = {};
  const rest: string[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? '';
    const [, name = '', inline] = /^--([a-z-]+)(?:=(.*))?$/s.exec(word) ?? [];
    if (name === 'once' && inline === undefined) request.once = [];
    else if (optionsWithValue.includes(name)) request[name] = [...(request[name] ?? []), inline ?? words[++at] ?? ''];
    else rest.push(word);
  }
  return { request, rest };
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
