/** A handshake that the router does not see gets the same answer, session and log line as one that it handles. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { load } from '../../app/config/load.ts';
import { type Running, serve } from '../../app/serve.ts';
import { HandshakeResponse } from '../../app/web/websocket-handshake.ts';
import { headOf, type Kind } from '../listener/http/listener.ts';
import { eventually } from '../listener/uwsgi/finish.ts';

const logs: Record<string, unknown>[] = [];
const ports = new Map<string, number>();
let running: Running;
beforeAll(async () => {
  const any = '127.0.0.1:0';
  const loaded = load(['--http', any, '--http-socket', any, '--socket', any], {});
  if ('faults' in loaded) throw new Error(loaded.faults.join('; '));
  running = await serve(loaded.settings, pino({ base: null }, { write: (line) => logs.push(JSON.parse(line)) }));
  for (const { setting, address } of running.listening) ports.set(setting, Number(address.split(':').at(-1)));
});
afterAll(() => running.stop());
afterEach(() => vi.restoreAllMocks());

const upgrade = {
  Host: 'meet.example',
  Connection: 'Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version': '13',
};

/** @returns everything received up to `last`, and the log lines of the WebSocket without its id and times */
const shake = async (kind: Kind, url: string, headers: Record<string, string>, last: string) => {
  const before = logs.length;
  const socket = connect(ports.get(kind) ?? 0, '127.0.0.1').on('error', () => {});
  socket.write(headOf(kind, { url, headers: { ...upgrade, ...headers } }));
  let text = '';
  while (!text.includes(last)) text += String((await once(socket, 'data'))[0]);
  socket.destroy();
  const about = () => logs.slice(before).filter(({ msg }) => String(msg).startsWith('WebSocket '));
  await eventually(() => expect(about().at(-1)?.msg).toMatch(/closed|rejected/));
  return { text, lines: about().map(({ time, reqId, ms, ...fields }) => fields) };
};

const cases: Record<string, { headers: Record<string, string>; last: string }> = {
  'no subprotocol': { headers: {}, last: '\r\n\r\n' },
  'the subprotocol': { headers: { 'Sec-WebSocket-Protocol': 'genkan.v1' }, last: 'Protocol: genkan.v1\r\n\r\n' },
  'one of several': { headers: { 'Sec-WebSocket-Protocol': 'x, genkan.v1' }, last: 'Protocol: genkan.v1\r\n\r\n' },
  'an unknown one': { headers: { 'Sec-WebSocket-Protocol': 'x' }, last: '\r\n\r\n' },
  'its own origin': { headers: { Origin: 'http://meet.example' }, last: '\r\n\r\n' },
  'a foreign origin': { headers: { Origin: 'https://evil.example' }, last: 'origin-refused' },
  'forwarding headers': {
    headers: { 'X-Forwarded-For': '203.0.113.7', 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'other.example' },
    last: '\r\n\r\n',
  },
};

describe.each(['http', 'http-socket', 'socket'] as const)('by --%s', (kind) => {
  for (const [name, { headers, last }] of Object.entries(cases))
    test(`with ${name}`, async () => {
      const routed = vi.spyOn(HandshakeResponse.prototype, 'release');
      const direct = await shake(kind, '/rooms/room/ws?a=b', headers, last);
      expect(routed).not.toHaveBeenCalled();
      const usual = await shake(kind, '/rooms/r%6Fom/ws?a=b', headers, last);
      expect(routed).toHaveBeenCalledOnce();
      expect(direct).toEqual(usual);
    });

  test.each(['/rooms/room/ws/', '/rooms/r%C3%A4um/ws', '/rooms/r%20m/ws'])('%s is left to the router', async (url) => {
    const routed = vi.spyOn(HandshakeResponse.prototype, 'release');
    await shake(kind, url, {}, '\r\n\r\n');
    expect(routed).toHaveBeenCalledOnce();
  });
});

test('while the server drains, the router handles them', async () => {
  const routed = vi.spyOn(HandshakeResponse.prototype, 'release');
  const stopped = running.stop({ delay: 3 });
  await shake('http', '/rooms/room/ws', {}, 'draining');
  expect(routed).toHaveBeenCalledOnce();
  await stopped;
});
