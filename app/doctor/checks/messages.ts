/** Whether peers of one room see each other and receive messages, over every transport. */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { acceptedJson, bearer, PeerSocket } from '../../conform/peer-client.ts';
import type { Joined } from '../../protocol/messages.ts';
import { type Check, type Finding, found, ok } from '../finding.ts';
import { type HttpVisitor, joinBy, leave, openSocket, speak, visit } from '../peer.ts';
import { ask, begin, reasonOf, type Site } from '../target.ts';

export const conversation: Check = {
  name: 'conversation',
  needs: ['genkan'],
  async run(site) {
    for (const room of site.rooms) {
      const problem = await checkRoom(site, room);
      if (problem) return [problem];
    }
    return [ok(`two peers on two connections see each other and exchange messages; rooms tried: ${site.rooms.length}`)];
  },
};

/** One peer joins over a WebSocket if possible, the other by plain HTTP. */
const checkRoom = async (site: Site, room: string): Promise<Finding | undefined> => {
  const socket = await openResponsiveSocket(site, room);
  if (!socket) return withVisitor(site, room, (first) => exchange(site, room, first, () => pollChat(site, first)));
  try {
    const first = await joinBy(site, socket);
    if (!first) return found('websocket-mute', `no response to join in ${room}`);
    return await exchange(site, room, first, async () => (await socket.receive('chat', site.timeout))?.text);
  } finally {
    socket.leave();
  }
};

/** A second peer joins and sends a message to the first. */
const exchange = (
  site: Site,
  room: string,
  { self }: Joined,
  receive: () => Promise<string | undefined>,
): Promise<Finding | undefined> =>
  withVisitor(site, room, async (second) => {
    if (!second.peers.some(({ id }) => id === self.id))
      return found('rooms-split', `two peers in ${room} do not see each other: they are on different workers`);
    const text = `heard by ${self.id}`;
    await speak(site, second, { type: 'chat', n: 1, text });
    return (await receive()) === text ? undefined : found('message-lost', `a message in ${room} did not arrive`);
  });

/** Joins by plain HTTP, and leaves when `act` is done. */
const withVisitor = async <T>(site: Site, room: string, act: (visitor: HttpVisitor) => Promise<T>): Promise<T> => {
  const visitor = await visit(site, room);
  try {
    return await act(visitor);
  } finally {
    // If leaving fails, `act` has already reported why.
    await leave(site, visitor).catch(() => {});
  }
};

/** Undefined if WebSockets do not work; the websocket check reports why. */
const openResponsiveSocket = async (site: Site, room: string): Promise<PeerSocket | undefined> => {
  const socket = await openSocket(site, room).catch(() => undefined);
  if (!(socket instanceof PeerSocket)) return undefined;
  socket.send({ type: 'ping' });
  const pong = await socket.receive('pong', site.timeout).catch(() => undefined);
  if (pong) return socket;
  socket.leave();
  return undefined;
};

const events = z.object({ messages: z.array(z.looseObject({ type: z.string() })), seq: z.int() });

/** Polls for a chat message; undefined if there is none. */
const pollChat = async (site: Site, visitor: HttpVisitor): Promise<string | undefined> => {
  const { messages } = events.parse(
    acceptedJson(await ask(site, eventsOf(visitor, 1), { headers: bearer(visitor.session) })),
  );
  const text = messages.find(({ type }) => type === 'chat')?.text;
  return typeof text === 'string' ? text : undefined;
};

const eventsOf = ({ path, seq }: HttpVisitor, wait?: number): string =>
  `${path}/events?after=${seq}${wait === undefined ? '' : `&wait=${wait}`}`;

export const stream: Check = {
  name: 'stream',
  needs: ['conversation'],
  run: (site) => {
    const [room] = site.rooms;
    return withVisitor(site, room, (receiver) =>
      withVisitor(site, room, async (sender) => [await checkStream(site, receiver, sender)]),
    );
  },
};

const checkStream = async (site: Site, receiver: HttpVisitor, sender: HttpVisitor): Promise<Finding> => {
  const headers = { ...bearer(receiver.session), Accept: 'text/event-stream', 'Accept-Encoding': 'gzip, br' };
  const answer = await begin(site, eventsOf(receiver), { headers }).catch((error: unknown) => reasonOf(error));
  if (typeof answer === 'string') return found('stream-buffered', `the response did not begin: ${answer}`);
  const { 'content-type': type = 'nothing', 'content-encoding': encoding } = answer.headers;
  try {
    if (answer.statusCode !== 200 || !type.startsWith('text/event-stream'))
      return found('stream-refused', `an event stream request returned ${answer.statusCode}, ${type}`);
    if (encoding !== undefined)
      return found('stream-buffered', `it is compressed (${encoding}), so events wait for more data`);
    let received = '';
    answer.setEncoding('utf8').on('data', (part: string) => {
      received += part;
    });
    const text = `heard by ${receiver.self.id}`;
    await speak(site, sender, { type: 'chat', n: 1, text });
    const hasArrived = await within(site.timeout, () => received.includes(text));
    if (hasArrived) return ok('an event stream delivers messages as they are sent');
    return found('stream-buffered', `a message did not arrive in ${site.timeout} ms while the stream was open`);
  } finally {
    answer.destroy();
  }
};

const within = async (ms: number, condition: () => boolean): Promise<boolean> => {
  for (const deadline = Date.now() + ms; Date.now() < deadline && !condition(); ) await sleep(20);
  return condition();
};

/** Seconds that a poll waits: as long as a client's or, without --slow or --idle, just enough to see that polls can wait. */
const [longWait, shortWait] = [25, 1];

export const poll: Check = {
  name: 'poll',
  needs: ['conversation'],
  slow: true,
  run: (site) =>
    withVisitor(site, site.rooms.at(-1) ?? site.rooms[0], async (visitor) => {
      const seconds = site.idle === undefined ? shortWait : Math.min(longWait, site.idle / 1000);
      const question = { headers: bearer(visitor.session), timeout: seconds * 1000 + site.timeout };
      try {
        events.parse(acceptedJson(await ask(site, eventsOf(visitor, seconds), question)));
        return [ok(`a poll can wait ${seconds} s`)];
      } catch (error) {
        return [found('poll-cut', `a poll of ${seconds} s: ${reasonOf(error)}`)];
      }
    }),
};
