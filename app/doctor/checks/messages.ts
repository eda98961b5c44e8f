/** Whether peers of one room meet, and what they say arrives, by every transport. */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { Joined } from '../../protocol/messages.ts';
import { type Check, type Finding, found, ok } from '../finding.ts';
import { joinBy, type Line, leave, sessionOf, shake, speak, toldBy, type Visitor, visit } from '../peer.ts';
import { ask, begin, reasonOf, type Site } from '../target.ts';

export const conversation: Check = {
  name: 'conversation',
  needs: ['genkan'],
  async run(site) {
    for (const room of site.rooms) {
      const wrong = await meet(site, room);
      if (wrong) return [wrong];
    }
    return [ok(`two peers on two connections meet and hear each other; rooms tried: ${site.rooms.length}`)];
  },
};

/** One comes over a WebSocket if there are any, the other by plain requests. */
const meet = async (site: Site, room: string): Promise<Finding | undefined> => {
  const line = await open(site, room);
  if (!line) return staying(site, room, (first) => exchange(site, room, first, () => hear(site, first)));
  try {
    const first = await joinBy(site, line);
    if (!first) return found('websocket-mute', `nobody answers to join in ${room}`);
    return await exchange(site, room, first, async () => (await line.hear('chat', site.timeout))?.text);
  } finally {
    line.end();
  }
};

/** Another comes, and says something to the first. */
const exchange = (
  site: Site,
  room: string,
  { self }: Joined,
  heard: () => Promise<string | undefined>,
): Promise<Finding | undefined> =>
  staying(site, room, async (second) => {
    if (!second.peers.some(({ id }) => id === self.id))
      return found('rooms-split', `two peers in ${room} do not see each other: they are with two workers`);
    const text = `heard by ${self.id}`;
    await speak(site, second, { type: 'chat', n: 1, text });
    return (await heard()) === text ? undefined : found('message-lost', `what was said in ${room} did not come`);
  });

/** A peer by plain requests, that leaves when this is done. */
const staying = async <T>(site: Site, room: string, act: (visitor: Visitor) => Promise<T>): Promise<T> => {
  const visitor = await visit(site, room);
  try {
    return await act(visitor);
  } finally {
    // Where that fails, what came before has told why.
    await leave(site, visitor).catch(() => {});
  }
};

/** Why there are none, if there are none, the check of WebSockets tells. */
const open = async (site: Site, room: string): Promise<Line | undefined> => {
  const met = await shake(site, room).catch(() => undefined);
  if (!met || !('line' in met)) return undefined;
  met.line.say({ type: 'ping' });
  const pong = await met.line.hear('pong', site.timeout).catch(() => undefined);
  if (pong) return met.line;
  met.line.end();
  return undefined;
};

const events = z.object({ messages: z.array(z.looseObject({ type: z.string() })), seq: z.int() });

/** What was said to a peer that polls; undefined when nothing was. */
const hear = async (site: Site, visitor: Visitor): Promise<string | undefined> => {
  const { messages } = events.parse(toldBy(await ask(site, eventsOf(visitor, 1), { headers: sessionOf(visitor) })));
  const text = messages.find(({ type }) => type === 'chat')?.text;
  return typeof text === 'string' ? text : undefined;
};

const eventsOf = ({ place, seq }: Visitor, wait?: number): string =>
  `${place}/events?after=${seq}${wait === undefined ? '' : `&wait=${wait}`}`;

export const stream: Check = {
  name: 'stream',
  needs: ['conversation'],
  run: (site) => {
    const [room] = site.rooms;
    return staying(site, room, (listener) =>
      staying(site, room, async (speaker) => [await listen(site, listener, speaker)]),
    );
  },
};

const listen = async (site: Site, listener: Visitor, speaker: Visitor): Promise<Finding> => {
  const headers = { ...sessionOf(listener), Accept: 'text/event-stream', 'Accept-Encoding': 'gzip, br' };
  const answer = await begin(site, eventsOf(listener), { headers }).catch((error: unknown) => reasonOf(error));
  if (typeof answer === 'string') return found('stream-buffered', `its beginning did not come: ${answer}`);
  const { 'content-type': type = 'nothing', 'content-encoding': packed } = answer.headers;
  try {
    if (answer.statusCode !== 200 || !type.startsWith('text/event-stream'))
      return found('stream-refused', `an event stream is answered ${answer.statusCode}, ${type}`);
    if (packed !== undefined) return found('stream-buffered', `it is compressed (${packed}), and so waits for more`);
    let heard = '';
    answer.setEncoding('utf8').on('data', (part: string) => {
      heard += part;
    });
    const text = `heard by ${listener.self.id}`;
    await speak(site, speaker, { type: 'chat', n: 1, text });
    const came = await within(site.timeout, () => heard.includes(text));
    if (came) return ok('an event stream brings what is said as it is said');
    return found('stream-buffered', `what was said did not come in ${site.timeout} ms, while the stream was open`);
  } finally {
    answer.destroy();
  }
};

const within = async (ms: number, holds: () => boolean): Promise<boolean> => {
  for (const until = Date.now() + ms; Date.now() < until && !holds(); ) await sleep(20);
  return holds();
};

/** Seconds that a poll waits: as long as a client's does, or quickly only whether one may wait at all. */
const [longWait, shortWait] = [25, 1];

export const poll: Check = {
  name: 'poll',
  needs: ['conversation'],
  slow: true,
  run: (site) =>
    staying(site, site.rooms.at(-1) ?? site.rooms[0], async (visitor) => {
      const seconds = site.idle === undefined ? shortWait : Math.min(longWait, site.idle / 1000);
      const question = { headers: sessionOf(visitor), timeout: seconds * 1000 + site.timeout };
      try {
        events.parse(toldBy(await ask(site, eventsOf(visitor, seconds), question)));
        return [ok(`a poll may wait ${seconds} s`)];
      } catch (error) {
        return [found('poll-cut', `a poll of ${seconds} s: ${reasonOf(error)}`)];
      }
    }),
};
