/** Whether peers of one room meet, and what they say arrives, by every transport. */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { type Check, type Finding, found, ok } from './finding.ts';
import { joinBy, type Line, leave, sessionOf, shake, speak, toldBy, type Visitor, visit } from './peer.ts';
import { ask, begin, reasonOf, type Site } from './site.ts';

export const conversation: Check = {
  name: 'conversation',
  needs: ['genkan'],
  async run(site) {
    for (const room of site.rooms) {
      const wrong = await meet(site, room);
      if (wrong) return [wrong];
    }
    return [ok(`two peers on two connections meet and hear each other, in ${site.rooms.length} rooms out of as many`)];
  },
};

/** One comes over a WebSocket if there are any, the other by plain requests. */
const meet = async (site: Site, room: string): Promise<Finding | undefined> => {
  const line = await open(site, room);
  const first = line ? await joinBy(site, line) : await visit(site, room);
  if (!first) return found('websocket-mute', `nobody answers to join in ${room}`);
  const second = await visit(site, room);
  try {
    if (!second.peers.some(({ id }) => id === first.self.id))
      return found('rooms-split', `two peers in ${room} do not see each other: they are with two workers`);
    const text = `heard by ${first.self.id}`;
    await speak(site, second, { type: 'chat', n: 1, text });
    const heard = line ? await hearBy(line, site.timeout) : await hear(site, { ...first, place: second.place });
    return heard?.includes(text) ? undefined : found('message-lost', `${text} was said in ${room}, and did not come`);
  } finally {
    line?.end();
    await leave(site, second);
    if (!line) await leave(site, { ...first, place: second.place });
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

const hearBy = async (line: Line, ms: number): Promise<string | undefined> => (await line.hear('chat', ms))?.text;

const events = z.object({ messages: z.array(z.looseObject({ type: z.string() })), seq: z.int() });

const hear = async (site: Site, visitor: Visitor): Promise<string | undefined> => {
  const { messages } = events.parse(toldBy(await ask(site, eventsOf(visitor, 1), { headers: sessionOf(visitor) })));
  return String(messages.find(({ type }) => type === 'chat')?.text);
};

const eventsOf = ({ place, seq }: Visitor, wait?: number): string =>
  `${place}/events?after=${seq}${wait === undefined ? '' : `&wait=${wait}`}`;

export const stream: Check = {
  name: 'stream',
  needs: ['conversation'],
  async run(site) {
    const [listener, speaker] = [await visit(site, site.rooms[0]), await visit(site, site.rooms[0])];
    try {
      return [await listen(site, listener, speaker)];
    } finally {
      for (const visitor of [speaker, listener]) await leave(site, visitor);
    }
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
const [longWait, shortWait] = [25, 2];

export const poll: Check = {
  name: 'poll',
  needs: ['conversation'],
  slow: true,
  async run(site) {
    const seconds = site.idle === undefined ? shortWait : Math.min(longWait, site.idle / 1000);
    const visitor = await visit(site, site.rooms.at(-1) ?? site.rooms[0]);
    const question = { headers: sessionOf(visitor), timeout: seconds * 1000 + site.timeout };
    try {
      const answer = await ask(site, eventsOf(visitor, seconds), question);
      const isWhole = answer.status === 200 && events.safeParse(toldBy(answer)).success;
      if (!isWhole) return [found('poll-cut', `a poll of ${seconds} s is answered ${answer.status}`)];
      return [ok(`a poll may wait ${seconds} s`)];
    } catch (error) {
      return [found('poll-cut', `a poll of ${seconds} s: ${reasonOf(error)}`)];
    } finally {
      await leave(site, visitor);
    }
  },
};
