/** Whether a WebSocket opens, carries messages, and lasts in silence. */
import { type Check, type Finding, found, ok, skipped } from '../finding.ts';
import { type Handshake, type Line, Refused, shake } from '../peer.ts';
import { codeOf, reasonOf, type Site } from '../target.ts';
import { fetchRequestEcho } from './app-identity.ts';
import { passedOn } from './proxy-headers.ts';

export const websocket: Check = {
  name: 'websocket',
  needs: ['genkan'],
  async run(site) {
    const met = await shake(site, site.rooms[0]).catch((error: unknown) => ({ why: reasonOf(error) }));
    if ('why' in met) return [found('websocket-refused', `the handshake failed: ${met.why}`)];
    if (!('line' in met)) return [whyNot(met)];
    try {
      met.line.say({ type: 'ping' });
      const pong = await met.line.hear('pong', site.timeout);
      return [pong ? ok('a WebSocket opens and is answered') : await mute(met.line)];
    } catch (error) {
      if (error instanceof Refused && error.code === 'origin-refused') return [await strange(site, error)];
      throw error;
    } finally {
      met.line.end();
    }
  },
};

const whyNot = (answer: Extract<Handshake, { status: number }>): Finding => {
  const said = `the handshake is answered ${answer.status}, not 101`;
  // So the app itself, or a front end that knows no WebSockets, answers what it takes for a plain request.
  const isPlain = codeOf(answer) === 'upgrade-lost' || [200, 400, 405, 426, 501].includes(answer.status);
  return found(isPlain ? 'upgrade-lost' : 'websocket-refused', isPlain ? `${said}: as a plain request` : said);
};

const mute = async (line: Line): Promise<Finding> => {
  // Undefined while it is open.
  const code = await Promise.race([line.closed, undefined]);
  return found(
    'websocket-mute',
    code === undefined ? 'it opens, and says nothing' : `it opens, and is closed: ${code}`,
  );
};

/** What changed Host or Origin has been named already, as a fault. */
const strange = async (site: Site, { message }: Refused): Promise<Finding> => {
  const { seen } = await fetchRequestEcho(site, { headers: { Origin: site.url.origin } });
  const isExplained = seen !== undefined && passedOn(site, seen).some(({ level }) => level === 'fault');
  return isExplained
    ? skipped('it opens, and is refused because of the wrong Host or Origin')
    : found('origin-refused', message);
};

export const idle: Check = {
  name: 'idle',
  needs: ['websocket'],
  slow: true,
  async run(site) {
    if (site.idle === undefined) return [skipped('--slow waits for an idle connection to be cut')];
    const met = await shake(site, site.rooms[0]);
    if (!('line' in met)) return [whyNot(met)];
    const began = performance.now();
    met.line.say({ type: 'ping', quiet: site.idle });
    const pong = await met.line.hear('pong', site.idle + site.timeout);
    const seconds = Math.round((performance.now() - began) / 100) / 10;
    met.line.end();
    if (!pong) return [found('idle-cut', `a WebSocket was cut after ${seconds} s of silence`)];
    const isShort = seconds * 1000 < site.idle - 1000;
    return [
      isShort
        ? skipped(`the server is silent for ${seconds} s at most: --max-quiet`)
        : ok(`a WebSocket lasts ${seconds} s in silence`),
    ];
  },
};
