/** Whether a WebSocket opens, carries messages, and stays open while idle. */
import { RefusedError } from '../../conform/inbox.ts';
import { type HttpResponse, PeerSocket } from '../../conform/peer-client.ts';
import { type Check, type Finding, found, ok, skipped } from '../finding.ts';
import { openSocket } from '../peer.ts';
import { codeOf, reasonOf, type Site } from '../target.ts';
import { fetchRequestEcho } from './app-identity.ts';
import { passedOn } from './proxy-headers.ts';

export const websocket: Check = {
  name: 'websocket',
  needs: ['genkan'],
  async run(site) {
    const socket = await openSocket(site, site.rooms[0]).catch((error: unknown) => ({ why: reasonOf(error) }));
    if ('why' in socket) return [found('websocket-refused', `the handshake failed: ${socket.why}`)];
    if (!(socket instanceof PeerSocket)) return [rejected(socket)];
    try {
      socket.send({ type: 'ping' });
      const pong = await socket.receive('pong', site.timeout);
      return [pong ? ok('a WebSocket opens and responds') : mute(socket)];
    } catch (error) {
      if (error instanceof RefusedError && error.code === 'origin-refused') return [await originRefused(site, error)];
      throw error;
    } finally {
      socket.leave();
    }
  },
};

const rejected = (answer: HttpResponse): Finding => {
  const outcome = `the handshake returned ${answer.status}, not 101`;
  // Codes with which the app, or a front end without WebSocket support, responds to a plain request.
  const isPlain = codeOf(answer) === 'upgrade-lost' || [200, 400, 405, 426, 501].includes(answer.status);
  return found(
    isPlain ? 'upgrade-lost' : 'websocket-refused',
    isPlain ? `${outcome}, as for a plain request` : outcome,
  );
};

const mute = ({ closedWith }: PeerSocket): Finding =>
  found(
    'websocket-mute',
    closedWith === undefined ? 'it opens, but stays silent' : `it opens, but is closed: ${closedWith.code}`,
  );

/** Skipped if the check of proxy headers already reports a changed Host or Origin. */
const originRefused = async (site: Site, { sentence }: RefusedError): Promise<Finding> => {
  const { seen } = await fetchRequestEcho(site, { headers: { Origin: site.url.origin } });
  const isExplained = seen !== undefined && passedOn(site, seen).some(({ level }) => level === 'fault');
  return isExplained
    ? skipped('it opens, but is rejected because of the wrong Host or Origin')
    : found('origin-refused', sentence);
};

export const idle: Check = {
  name: 'idle',
  needs: ['websocket'],
  slow: true,
  async run(site) {
    if (site.idle === undefined) return [skipped('use --slow to check idle connections')];
    const socket = await openSocket(site, site.rooms[0]);
    if (!(socket instanceof PeerSocket)) return [rejected(socket)];
    const start = performance.now();
    socket.send({ type: 'ping', quiet: site.idle });
    const pong = await socket.receive('pong', site.idle + site.timeout);
    const seconds = Math.round((performance.now() - start) / 100) / 10;
    socket.leave();
    if (!pong) return [found('idle-cut', `a WebSocket was cut after ${seconds} s of silence`)];
    const isShort = seconds * 1000 < site.idle - 1000;
    return [
      isShort
        ? skipped(`the server suppresses pings for ${seconds} s at most: --max-quiet`)
        : ok(`a WebSocket stays open for ${seconds} s of silence`),
    ];
  },
};
