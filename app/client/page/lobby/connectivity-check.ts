/** Tries the ways that a call takes through the network, one by one, without entering the room. */
import { HttpRequest } from '../../request.ts';
import { parse } from '../../shape.ts';
import { newRoomName } from '../route.ts';

export const networkPaths = ['websocket', 'http', 'stun', 'turn-udp', 'turn-tcp'] as const;
export type NetworkPath = (typeof networkPaths)[number];
/**
 * - `held`: answers come, but streams are kept back on the way
 * - `site`: it is there and turns this page away, which only its operator can change
 * - `none`: the server offers no such way
 * - `unknown`: it tells only who is let in
 */
export type Finding = 'running' | 'good' | 'held' | 'bad' | 'site' | 'none' | 'unknown';
export type Findings = Record<NetworkPath, Finding>;
/** `site`: no call, whatever the network. */
export type Verdict = 'good' | 'fair' | 'bad' | 'site';

type Ice = readonly RTCIceServer[];
const patience = 8_000;

export const unchecked: Findings = {
  websocket: 'running',
  http: 'running',
  stun: 'running',
  'turn-udp': 'running',
  'turn-tcp': 'running',
};

/** Tells each finding as soon as it is made; resolves after the last. Never rejects. */
export const checkConnectivity = async (
  room: string,
  found: (way: NetworkPath, finding: Finding) => void,
): Promise<void> => {
  const answer = enter();
  const socket = async () => {
    if (await pongs(room)) return found('websocket', 'good');
    found('websocket', (await answer).is === 'turned away' ? 'site' : 'bad');
  };
  await Promise.all([socket(), requests(await answer, found), relays(await answer, found)]);
};

const requests = async (answer: Answer, found: (way: 'http', finding: Finding) => void): Promise<void> => {
  if (answer.is === 'silent') return found('http', 'bad');
  if (answer.is === 'turned away') return found('http', 'site');
  // Whoever is not let in was answered all the same.
  found('http', answer.is === 'entered' ? await hears(answer) : 'good');
  if (answer.is === 'entered') void leave(answer);
};

const relays = async (answer: Answer, found: (way: NetworkPath, finding: Finding) => void): Promise<void> => {
  const servers = answer.is === 'entered' ? split(answer.ice) : undefined;
  await Promise.all(
    (['stun', 'turn-udp', 'turn-tcp'] as const).map(async (way) => {
      if (!servers) return found(way, 'unknown');
      if (servers[way].length === 0) return found(way, 'none');
      found(way, await gathers(servers[way], way === 'stun' ? 'srflx' : 'relay'));
    }),
  );
};

/** Whether a call will work, as far as one can tell from here. */
export const verdictOf = (findings: Findings): Verdict => {
  const failed = (way: NetworkPath) => findings[way] === 'bad' || findings[way] === 'site';
  const turns = ['turn-udp', 'turn-tcp'] as const;
  if (findings.websocket === 'site' && findings.http === 'site') return 'site';
  if (failed('websocket') && failed('http')) return 'bad';
  if (findings.stun !== 'good' && turns.some(failed) && !turns.some((way) => findings[way] === 'good')) return 'bad';
  return networkPaths.some((way) => failed(way) || findings[way] === 'held') ? 'fair' : 'good';
};

/** The servers by the way that their addresses name, https://www.rfc-editor.org/rfc/rfc7065 and rfc7064. */
export const split = (ice: Ice): Record<'stun' | 'turn-udp' | 'turn-tcp', RTCIceServer[]> => {
  const each = ice.flatMap(({ urls, ...rest }) => [urls].flat().map((url) => ({ ...rest, urls: url })));
  const isTcp = (url: string) => url.startsWith('turns:') || url.includes('transport=tcp');
  return {
    stun: each.filter(({ urls }) => urls.startsWith('stun')),
    'turn-udp': each.filter(({ urls }) => urls.startsWith('turn') && !isTcp(urls)),
    'turn-tcp': each.filter(({ urls }) => urls.startsWith('turn') && isTcp(urls)),
  };
};

/** A ping is answered before a join. */
const pongs = (room: string): Promise<boolean> =>
  new Promise((resolve) => {
    const url = new URL(`rooms/${encodeURIComponent(room)}/ws`, document.baseURI);
    url.protocol = url.protocol.replace('http', 'ws');
    const socket = new WebSocket(url, 'genkan.v1');
    const end = (good: boolean) => {
      clearTimeout(timer);
      socket.close(1000);
      resolve(good);
    };
    const timer = setTimeout(() => end(false), patience);
    socket.onopen = () => socket.send('{"type":"ping"}');
    // What turns this page away says so, and is no pong.
    socket.onmessage = ({ data }) => end(parse(data)?.type === 'pong');
    socket.onclose = () => end(false);
  });

type Entered = { is: 'entered'; ice: Ice; place: URL; authorization: string; seq: number };
type Answer = Entered | { is: 'silent' | 'turned away' | 'not let in' };

/** Enters a room that nobody else can know, for its list of ICE servers. */
const enter = async (): Promise<Answer> => {
  const place = new URL(`rooms/${newRoomName()}/`, document.baseURI);
  const headers = { 'content-type': 'application/json' };
  const request = new HttpRequest();
  const answer = await request.send(new URL('join', place), { method: 'POST', headers, body: '{}' }, patience);
  const said = parse(await request.text(answer));
  if (said?.type === 'joined')
    return { is: 'entered', ice: said.ice as Ice, place, authorization: `Bearer ${said.session}`, seq: said.seq };
  if (said?.type !== 'error') return { is: 'silent' };
  return { is: said.code === 'origin-refused' ? 'turned away' : 'not let in' };
};

const leave = async ({ place, authorization }: Entered): Promise<void> => {
  const request = new HttpRequest();
  await request.text(
    await request.send(new URL('leave', place), { method: 'POST', headers: { authorization } }, patience),
  );
};

/** A stream begins at once; where none does, requests that are answered at once still carry a call. */
const hears = async (entered: Entered): Promise<Finding> => {
  if (await begins(entered, '', 'text/event-stream')) return 'good';
  return (await begins(entered, '&wait=0', 'application/json')) ? 'held' : 'bad';
};

/** Whether an answer of this type comes, and some of its body. */
const begins = async ({ place, authorization, seq }: Entered, query: string, accept: string): Promise<boolean> => {
  const request = new HttpRequest();
  const url = new URL(`events?after=${seq}${query}`, place);
  const answer = await request.send(url, { headers: { accept, authorization } }, patience / 2);
  let began = false;
  if (answer?.ok && answer.body && answer.headers.get('content-type')?.startsWith(accept))
    await request.read(answer.body, () => {
      began = true;
      return false;
    });
  request.end();
  return began;
};

/** Codes with which a server answers, and refuses; 701 and 600 are the browser's own, for one that does not. */
const isRefusal = (code: number): boolean => code >= 400 && code < 600;

/** Whether these servers give a candidate of this type. */
const gathers = async (iceServers: RTCIceServer[], type: 'srflx' | 'relay'): Promise<Finding> => {
  const iceTransportPolicy = type === 'relay' ? 'relay' : 'all';
  const connection = new RTCPeerConnection({ iceServers, iceTransportPolicy });
  let failed = false;
  let refused = false;
  const failure = () => (refused ? 'site' : 'bad');
  try {
    return await new Promise<Finding>((resolve, reject) => {
      setTimeout(() => resolve(failure()), patience);
      connection.onicecandidateerror = ({ errorCode }) => {
        failed = true;
        refused ||= isRefusal(errorCode);
      };
      connection.onicecandidate = ({ candidate }) => {
        if (candidate?.type === type) resolve('good');
        // Where the address of a device is the public one, an answer from STUN adds no candidate.
        else if (!candidate) resolve(type === 'srflx' && !failed ? 'good' : failure());
      };
      connection.createDataChannel('check');
      connection.setLocalDescription().catch(reject);
    });
  } catch {
    return 'bad';
  } finally {
    connection.close();
  }
};
