/** Tests each network path that a call uses, without joining the room. */
import { HttpRequest } from '../../request.ts';
import { parse } from '../../shape.ts';
import { newRoomName } from '../route.ts';

export const networkPaths = ['websocket', 'http', 'stun', 'turn-udp', 'turn-tcp'] as const;
export type NetworkPath = (typeof networkPaths)[number];
/**
 * - `held`: responses arrive, but streams are buffered on the way
 * - `site`: the server responds but refuses this page; only its operator can change that
 * - `none`: the server offers no such path
 * - `unknown`: the server reveals it only to peers that may join
 */
export type Finding = 'running' | 'good' | 'held' | 'bad' | 'site' | 'none' | 'unknown';
export type Findings = Record<NetworkPath, Finding>;
/** `site`: no call is possible, whatever the network. */
export type Verdict = 'good' | 'fair' | 'bad' | 'site';

type IceServers = readonly RTCIceServer[];
const timeout = 8_000;

export const unchecked: Findings = {
  websocket: 'running',
  http: 'running',
  stun: 'running',
  'turn-udp': 'running',
  'turn-tcp': 'running',
};

/** Reports each finding as soon as it is known; resolves after the last. Never rejects. */
export const checkConnectivity = async (
  room: string,
  report: (path: NetworkPath, finding: Finding) => void,
): Promise<void> => {
  const joining = joinTestRoom();
  const checkWebSocket = async () => {
    if (await answersPing(room)) return report('websocket', 'good');
    report('websocket', (await joining).result === 'origin-refused' ? 'site' : 'bad');
  };
  await Promise.all([checkWebSocket(), checkHttp(await joining, report), checkIce(await joining, report)]);
};

const checkHttp = async (result: JoinResult, report: (path: 'http', finding: Finding) => void): Promise<void> => {
  if (result.result === 'no-response') return report('http', 'bad');
  if (result.result === 'origin-refused') return report('http', 'site');
  // A refusal to join is a response too: HTTP works.
  report('http', result.result === 'joined' ? await checkEvents(result) : 'good');
  if (result.result === 'joined') void leave(result);
};

const checkIce = async (result: JoinResult, report: (path: NetworkPath, finding: Finding) => void): Promise<void> => {
  const servers = result.result === 'joined' ? split(result.ice) : undefined;
  await Promise.all(
    (['stun', 'turn-udp', 'turn-tcp'] as const).map(async (path) => {
      if (!servers) return report(path, 'unknown');
      if (servers[path].length === 0) return report(path, 'none');
      report(path, await checkCandidates(servers[path], path === 'stun' ? 'srflx' : 'relay'));
    }),
  );
};

/** Whether a call is likely to work. */
export const verdictOf = (findings: Findings): Verdict => {
  const failed = (path: NetworkPath) => findings[path] === 'bad' || findings[path] === 'site';
  const turns = ['turn-udp', 'turn-tcp'] as const;
  if (findings.websocket === 'site' && findings.http === 'site') return 'site';
  if (failed('websocket') && failed('http')) return 'bad';
  if (findings.stun !== 'good' && turns.some(failed) && !turns.some((path) => findings[path] === 'good')) return 'bad';
  return networkPaths.some((path) => failed(path) || findings[path] === 'held') ? 'fair' : 'good';
};

/** Groups the servers by the transport in their URLs, https://www.rfc-editor.org/rfc/rfc7065 and rfc7064. */
export const split = (ice: IceServers): Record<'stun' | 'turn-udp' | 'turn-tcp', RTCIceServer[]> => {
  const each = ice.flatMap(({ urls, ...rest }) => [urls].flat().map((url) => ({ ...rest, urls: url })));
  const isTcp = (url: string) => url.startsWith('turns:') || url.includes('transport=tcp');
  return {
    stun: each.filter(({ urls }) => urls.startsWith('stun')),
    'turn-udp': each.filter(({ urls }) => urls.startsWith('turn') && !isTcp(urls)),
    'turn-tcp': each.filter(({ urls }) => urls.startsWith('turn') && isTcp(urls)),
  };
};

/** Whether the WebSocket answers a ping, which needs no join. */
const answersPing = (room: string): Promise<boolean> =>
  new Promise((resolve) => {
    const url = new URL(`rooms/${encodeURIComponent(room)}/ws`, document.baseURI);
    url.protocol = url.protocol.replace('http', 'ws');
    const socket = new WebSocket(url, 'genkan.v1');
    const end = (good: boolean) => {
      clearTimeout(timer);
      socket.close(1000);
      resolve(good);
    };
    const timer = setTimeout(() => end(false), timeout);
    socket.onopen = () => socket.send('{"type":"ping"}');
    // A server that refuses this page sends an error, not a pong.
    socket.onmessage = ({ data }) => end(parse(data)?.type === 'pong');
    socket.onclose = () => end(false);
  });

type TestRoom = { result: 'joined'; ice: IceServers; roomUrl: URL; authorization: string; seq: number };
type JoinResult = TestRoom | { result: 'no-response' | 'origin-refused' | 'refused' };

/** Joins a room with an unguessable name, to get the list of ICE servers. */
const joinTestRoom = async (): Promise<JoinResult> => {
  const roomUrl = new URL(`rooms/${newRoomName()}/`, document.baseURI);
  const headers = { 'content-type': 'application/json' };
  const request = new HttpRequest();
  const response = await request.send(new URL('join', roomUrl), { method: 'POST', headers, body: '{}' }, timeout);
  const message = parse(await request.text(response));
  if (message?.type === 'joined')
    return {
      result: 'joined',
      ice: message.ice as IceServers,
      roomUrl,
      authorization: `Bearer ${message.session}`,
      seq: message.seq,
    };
  if (message?.type !== 'error') return { result: 'no-response' };
  return { result: message.code === 'origin-refused' ? 'origin-refused' : 'refused' };
};

const leave = async ({ roomUrl, authorization }: TestRoom): Promise<void> => {
  const request = new HttpRequest();
  await request.text(
    await request.send(new URL('leave', roomUrl), { method: 'POST', headers: { authorization } }, timeout),
  );
};

/** An event stream starts at once. Where none does, short polling still carries a call. */
const checkEvents = async (joined: TestRoom): Promise<Finding> => {
  if (await receivesBody(joined, '', 'text/event-stream')) return 'good';
  return (await receivesBody(joined, '&wait=0', 'application/json')) ? 'held' : 'bad';
};

/** Whether a response of this type arrives, and some of its body. */
const receivesBody = async (
  { roomUrl, authorization, seq }: TestRoom,
  query: string,
  accept: string,
): Promise<boolean> => {
  const request = new HttpRequest();
  const url = new URL(`events?after=${seq}${query}`, roomUrl);
  const response = await request.send(url, { headers: { accept, authorization } }, timeout / 2);
  let received = false;
  if (response?.ok && response.body && response.headers.get('content-type')?.startsWith(accept))
    await request.read(response.body, () => {
      received = true;
      return false;
    });
  request.end();
  return received;
};

/** Error codes of a server that responds, but refuses; the browser itself reports 600 and 701 for one that does not respond. */
const isRefusal = (code: number): boolean => code >= 400 && code < 600;

/** Whether these servers yield a candidate of this type. */
const checkCandidates = async (iceServers: RTCIceServer[], type: 'srflx' | 'relay'): Promise<Finding> => {
  const iceTransportPolicy = type === 'relay' ? 'relay' : 'all';
  const connection = new RTCPeerConnection({ iceServers, iceTransportPolicy });
  let failed = false;
  let refused = false;
  const failure = () => (refused ? 'site' : 'bad');
  try {
    return await new Promise<Finding>((resolve, reject) => {
      setTimeout(() => resolve(failure()), timeout);
      connection.onicecandidateerror = ({ errorCode }) => {
        failed = true;
        refused ||= isRefusal(errorCode);
      };
      connection.onicecandidate = ({ candidate }) => {
        if (candidate?.type === type) resolve('good');
        // On a device with a public address, a STUN response adds no candidate.
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
