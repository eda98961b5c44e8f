/** Tries the ways that a call takes through the network, one by one, without entering the room. */
import { newRoomName } from './route.ts';

export const ways = ['websocket', 'http', 'stun', 'turn-udp', 'turn-tcp'] as const;
export type Way = (typeof ways)[number];
/** `none`: the server offers no such way. `unknown`: it tells only who is let in. */
export type Finding = 'running' | 'good' | 'bad' | 'none' | 'unknown';
export type Findings = Record<Way, Finding>;
export type Verdict = 'good' | 'fair' | 'bad';

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
export const checkWays = async (room: string, found: (way: Way, finding: Finding) => void): Promise<void> => {
  const relays = async () => {
    const answer = await askForServers();
    found('http', answer.is === 'silent' ? 'bad' : 'good');
    const servers = answer.is === 'servers' ? split(answer.ice) : undefined;
    await Promise.all(
      (['stun', 'turn-udp', 'turn-tcp'] as const).map(async (way) => {
        if (!servers) return found(way, 'unknown');
        if (servers[way].length === 0) return found(way, 'none');
        found(way, (await gathers(servers[way], way === 'stun' ? 'srflx' : 'relay')) ? 'good' : 'bad');
      }),
    );
  };
  const socket = async () => found('websocket', (await pongs(room)) ? 'good' : 'bad');
  await Promise.all([relays(), socket()]);
};

/** Whether a call will work, as far as one can tell from here. */
export const verdictOf = (findings: Findings): Verdict => {
  const { websocket, http, stun } = findings;
  const turns = [findings['turn-udp'], findings['turn-tcp']];
  if (websocket === 'bad' && http === 'bad') return 'bad';
  if (stun !== 'good' && turns.includes('bad') && !turns.includes('good')) return 'bad';
  return ways.some((way) => findings[way] === 'bad') ? 'fair' : 'good';
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
    socket.onmessage = () => end(true);
    socket.onclose = () => end(false);
  });

type Answer = { is: 'silent' } | { is: 'refused' } | { is: 'servers'; ice: Ice };

/** Enters a room that nobody else can know, for its list of ICE servers, and leaves it. */
const askForServers = async (): Promise<Answer> => {
  const join = new URL(`rooms/${newRoomName()}/join`, document.baseURI);
  try {
    const signal = AbortSignal.timeout(patience);
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(join, { method: 'POST', headers, body: '{}', signal });
    const joined: { type?: string; session?: string; ice?: Ice } = await answer.json();
    if (!answer.ok || !joined.ice) return joined.type === 'error' ? { is: 'refused' } : { is: 'silent' };
    const leave = new URL('leave', join);
    const authorization = `Bearer ${joined.session}`;
    void fetch(leave, { method: 'POST', headers: { authorization } }).catch(() => {});
    return { is: 'servers', ice: joined.ice };
  } catch {
    return { is: 'silent' };
  }
};

/** Whether these servers give a candidate of this type. */
const gathers = async (iceServers: RTCIceServer[], type: 'srflx' | 'relay'): Promise<boolean> => {
  const iceTransportPolicy = type === 'relay' ? 'relay' : 'all';
  const connection = new RTCPeerConnection({ iceServers, iceTransportPolicy });
  let failed = false;
  try {
    return await new Promise<boolean>((resolve, reject) => {
      setTimeout(resolve, patience, false);
      connection.onicecandidateerror = () => {
        failed = true;
      };
      connection.onicecandidate = ({ candidate }) => {
        if (candidate?.type === type) resolve(true);
        // Where the address of a device is the public one, an answer from STUN adds no candidate.
        else if (!candidate) resolve(type === 'srflx' && !failed);
      };
      connection.createDataChannel('check');
      connection.setLocalDescription().catch(reject);
    });
  } catch {
    return false;
  } finally {
    connection.close();
  }
};
