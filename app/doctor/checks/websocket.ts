/** Whether a WebSocket opens, carries messages, and stays open while idle. */
import { type Check, type Finding, found, ok, skipped } from '../finding.ts';
import { type Handshake, type Line, Refused, shake } from '../peer.ts';
import { codeOf, reasonOf, type Site } from '../target.ts';
import { fetchRequestEcho } from './app-identity.ts';
import { passedOn } from './proxy-headers.ts';

export const websocket: Check = {
  name: 'websocket',
  needs: ['genkan'],
  async run(site) {
    const handshake = await shake(site, site.rooms[0]).catch((error: unknown) => ({ why: reasonOf(error) }));
    if ('why' in handshake) return [found('websocket-refused', `the handshake failed: ${handshake.why}`)];
    if (!('line' in handshake)) return [rejected(handshake)];
    const { line } = handshake;
    try {
      line.send({ type: 'ping' });
      const pong = await line.receive('pong', site.timeout);
      return [pong ? ok('a WebSocket opens and responds') : await mute(line)];
    } catch (error) {
      if (error instanceof Refused && error.code === 'origin-refused') return [await originRefused(site, error)];
      throw error;
    } finally {
      line.end();
    }
  },
};

const rejected = (answer: Extract<Handshake, { status: number }>): Finding => {
  const outcome = `the handshake returned ${answer.status}, not 101`;
  // Codes with which the app, or a front end without WebSocket support, responds to a plain request.
  const isPlain = codeOf(answer) === 'upgrade-lost' || [200, 400, 405, 426, 501].includes(answer.status);
  return found(
    isPlain ? 'upgrade-lost' : 'websocket-refused',
    isPlain ? `${outcome}, as for a plain request` : outcome,
  );
};

const mute = async (line: Line): Promise<Finding> => {
  // Undefined while the connection is open.
  const code = await Promise.race([line.closed, undefined]);
  return found(
    'websocket-mute',
    code === undefined ? 'it opens, but stays silent' : `it opens, but is closed: ${code}`,
  );
};

/** Skipped if the check of proxy headers already reports a changed Host or Origin. */
const originRefused = async (site: Site, { message }: Refused): Promise<Finding> => {
  const { seen } = await fetchRequestEcho(site, { headers: { Origin: site.url.origin } });
  const isExplained = seen !== undefined && passedOn(site, seen).some(({ level }) => level === 'fault');
  return isExplained
    ? skipped('it opens, but is rejected because of the wrong Host or Origin')
    : found('origin-refused', message);
};

export const idle: Check = {
  name: 'idle',
  needs: ['websocket'],
  slow: true,
  async run(site) {
    if (site.idle === undefined) return [skipped('use --slow to check idle connections')];
    const handshake = await shake(site, site.rooms[0]);
    if (!('line' in handshake)) return [rejected(handshake)];
    const { line } = handshake;
    const start = performance.now();
    line.send({ type: 'ping', quiet: site.idle });
    const pong = await line.receive('pong', site.idle + site.timeout);
    const seconds = Math.round((performance.now() - start) / 100) / 10;
    line.end();
    if (!pong) return [found('idle-cut', `a WebSocket was cut after ${seconds} s of silence`)];
    const isShort = seconds * 1000 < site.idle - 1000;
    return [
      isShort
        ? skipped(`the server suppresses pings for ${seconds} s at most: --max-quiet`)
        : ok(`a WebSocket stays open for ${seconds} s of silence`),
    ];
  },
};
