/** The spec: what signaling promises, by guarantee, as cases that run against any server, over each of the transports. */
import { away } from './cases/away.ts';
import { closing } from './cases/closing.ts';
import { errorCases } from './cases/errors.ts';
import { hosts } from './cases/hosts.ts';
import { knocking } from './cases/knocking.ts';
import { limits } from './cases/limits.ts';
import { offers } from './cases/offers.ts';
import { once } from './cases/once.ts';
import { relay } from './cases/relay.ts';
import { requests } from './cases/requests.ts';
import { streams } from './cases/streams.ts';
import type { Context, House } from './context.ts';
import type { Transport } from './transports.ts';

export type Case = {
  name: string;
  /** The only transports that can show it. */
  on?: Transport['name'][];
  /** ms that it takes at least on a server with the default settings, where that is more than a moment. */
  lasts?: (house: House) => number;
  /** @throws what was seen instead of what was promised; NotJudged */
  run(context: Context): Promise<void>;
};

export type Guarantee = { title: string; cases: Case[] };

export const guarantees: Guarantee[] = [
  { title: 'the server says who offers; a signal of an older epoch is refused', cases: offers },
  { title: 'signals are relayed unread, inside the room, to one of its peers', cases: relay },
  { title: 'what is numbered is accepted once; each hears each event once, in order', cases: once },
  { title: 'a lost connection is away for the grace time and misses nothing', cases: away },
  { title: 'a close says whether to come back', cases: closing },
  { title: 'every error has its code and fate, and is nobody else’s', cases: errorCases },
  { title: 'everything has a limit', cases: limits },
  { title: 'hosts decide who comes in and who stays', cases: [...hosts, ...knocking] },
  { title: 'the transports work as documented, and take over from each other', cases: [...requests, ...streams] },
];

export const isFor = ({ on }: Case, { name }: Transport): boolean => on === undefined || on.includes(name);
