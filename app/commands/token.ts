/** `genkan token`: makes a token, or a link with one in it, with the secret of the settings or a private key. */
import { signingSecret } from '../auth/keys.ts';
import { signToken, tokenRequest } from '../auth/mint.ts';
import { signingKey } from '../auth/token-keys.ts';
import type { Settings } from '../config/schema.ts';
import { roomName } from '../protocol/messages.ts';

/** What the command line says of the token, by word; the other words are settings. */
export type TokenCommand = Record<string, string[]>;

const valued = ['room', 'role', 'name', 'subject', 'ttl', 'not-before', 'private-key', 'link'];

/** Parts what is said of the token (`--room R`, `--room=R`, `--once`) from the settings. */
export const parseTokenCommand = (words: string[]): { asked: TokenCommand; rest: string[] } => {
  const asked: TokenCommand = {};
  const rest: string[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? '';
    const [, name = '', inline] = /^--([a-z-]+)(?:=(.*))?$/s.exec(word) ?? [];
    if (name === 'once' && inline === undefined) asked.once = [];
    else if (valued.includes(name)) asked[name] = [...(asked[name] ?? []), inline ?? words[++at] ?? ''];
    else rest.push(word);
  }
  return { asked, rest };
};

/** The token, or the link, as the only line; or what was wrong. @param now ms since 1970 */
export const makeToken = async (
  asked: TokenCommand,
  settings: Settings,
  now: number,
): Promise<{ text: string } | { faults: string[] }> => {
  const last = (name: string) => asked[name]?.at(-1);
  const order = tokenRequest.safeParse({
    room: asked.room ?? [],
    role: last('role'),
    name: last('name'),
    subject: last('subject'),
    ttl: last('ttl'),
    'not-before': last('not-before'),
    once: 'once' in asked,
  });
  if (!order.success)
    return { faults: order.error.issues.map(({ path, message }) => `--${String(path[0])}: ${message}`) };
  try {
    const link = last('link');
    const page = link === undefined ? undefined : pageOf(link, order.data.room);
    const key = keyOf(last('private-key'), settings);
    const { 'token-issuer': issuer, 'token-audience': audience } = settings;
    const token = await signToken(order.data, key, { issuer, audience }, now);
    // In the fragment, which browsers keep to themselves: no server and no log sees it.
    return { text: page === undefined ? token : `${page}#token=${token}` };
  } catch (error) {
    return { faults: [error instanceof Error ? error.message : String(error)] };
  }
};

const keyOf = (path: string | undefined, settings: Settings) => {
  if (path !== undefined) return signingKey(path);
  const [secret] = settings['token-secret'];
  if (secret !== undefined) return signingSecret(secret);
  throw new Error(
    'there is nothing to sign with: give --private-key FILE, or --token-secret_file FILE as the server has it',
  );
};

/** @param site where Genkan's start page is */
const pageOf = (site: string, rooms: string[]): string => {
  if (!/^https?:\/\/[^?#]+$/.test(site) || !URL.canParse(site))
    throw new Error('--link: write where the page is, such as https://meet.example');
  const [room = ''] = rooms;
  if (rooms.length > 1 || !roomName.safeParse(room).success)
    throw new Error('--link: a link leads to one room; say which by a single --room without "*"');
  return new URL(`rooms/${encodeURIComponent(room)}`, site.endsWith('/') ? site : `${site}/`).href;
};
