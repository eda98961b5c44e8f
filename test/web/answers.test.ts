/** Answers of the room routes. */
import type { FastifyReply } from 'fastify';
import { expect, test, vi } from 'vitest';
import { answerSender } from '../../app/web/room-request.ts';
import { testContext } from '../signaling/test-context.ts';

test('every answer is counted before it is sent, and a long one is sent as bytes, which count what they take in memory', () => {
  const { counts } = testContext();
  const transferred = vi.fn();
  const sent = vi.fn();
  const reply = { request: {}, code: () => reply, type: () => reply, send: (body: unknown) => sent(body) };
  const send = answerSender({ counts, ready: () => true, refusedTo: () => {}, unsent: { transferred } });
  for (const body of ['{}', `"${'漢'.repeat(20_000)}"`]) send(reply as unknown as FastifyReply, { status: 200, body });
  expect(transferred.mock.calls).toEqual([[2], [20_002]]);
  expect(sent.mock.calls.map(([body]) => (typeof body === 'string' ? body : body.length))).toEqual(['{}', 60_002]);
});
