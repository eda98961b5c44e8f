/** Attacks on what rooms keep, and on their seats. */
import { known } from '../addresses.ts';
import type { Attack, Hands, Seat } from '../hands.ts';

/** The longest text that a message may have, of characters with three bytes each. */
const longText = '語'.repeat(4000);
const rooms = 250;

/** Takes every available seat, at first at once, and keeps each with a request every two seconds. */
const hold = async (hands: Hands, room: string): Promise<void> => {
  const seats: Seat[] = [];
  await hands.repeat(1, async (_, nth) => {
    await hands.pause(nth < 16 ? 20 : 250);
    const seat = seats.length < 16 ? await hands.join(room, hands.v6, { name: 'nobody' }) : undefined;
    if (seat) seats.push(seat);
    const kept = nth % 8 === 0 ? seats.shift() : undefined;
    if (!kept) return;
    const { status } = await hands.post(kept, { type: 'ping' });
    if (status === 200) seats.push(kept);
  });
  hands.count('seats held at the end', seats.length);
};

export const roomAttacks: Record<string, Attack> = {
  'fill memory': {
    does: 'fills the logs of 250 rooms by plain HTTP',
    async run(hands) {
      const seats: { seat: Seat; n: number }[] = [];
      await hands.repeat(6, async (hand, nth) => {
        const at = (hand * 1000 + nth) % rooms;
        const known = seats[at];
        const seat = known?.seat ?? (await hands.join(`fill-${at}`, hands.anywhere));
        if (!seat) return hands.pause(50);
        const { n } = known ?? { n: 0 };
        const texts = Array.from({ length: 40 }, (_, more) => ({ type: 'chat', n: n + more + 1, text: longText }));
        const { status, text } = await hands.post(seat, texts);
        if (status !== 200) {
          delete seats[at];
          return hands.pause(20);
        }
        const acknowledged = Math.max(n, ...[...text.matchAll(/"ack","n":(\d+)/g)].map(([, acked]) => Number(acked)));
        hands.count('texts kept', acknowledged - n);
        seats[at] = { seat, n: acknowledged };
      });
    },
  },
  'open rooms': {
    does: 'opens one room after the other, by HTTP and WebSocket, and never leaves',
    run: (hands) =>
      hands.repeat(6, async (hand, nth) => {
        const room = `endless-${hand}-${nth}-${process.pid}`;
        if (hand > 0) await hands.join(room, hand % 2 === 0 ? hands.v4 : hands.v6);
        else await hands.enter(room, hands.v6);
      }),
  },
  'hold a room full': {
    does: 'takes all seats of a room with 16 posts, and keeps them with one request every two seconds',
    run: (hands) => hold(hands, known.full),
  },
  'hold a lobby full': { does: 'the same in the lobby of a room', run: (hands) => hold(hands, known.knock) },
  'rule a room': {
    does: 'hosts rooms of its own: locks, unlocks, renames, kicks, bans and ends without pause',
    run: (hands) =>
      hands.repeat(3, async (hand, nth) => {
        const room = `ruled-${hand}-${nth}`;
        const host = await hands.enter(room, hands.anywhere, { name: 'x'.repeat(64) });
        if (!host) return hands.pause(50);
        const { socket } = host;
        let n = 0;
        for (let times = 0; times < 100 && hands.isRunning; times += 1) {
          await hands.turn();
          const guest = await hands.join(room, hands.v6, { name: '😀'.repeat(32) });
          const decisions = [
            { type: 'lock', access: times % 2 ? 'open' : 'knock' },
            { type: 'update', name: `${times}`.padStart(64, 'n'), hand: times % 2 === 0 },
            { type: 'kick', peer: guest?.id ?? 'nobody', ban: true },
            { type: 'role', peer: host.seat.id, role: 'guest' },
            { type: 'mute-request', peer: host.seat.id, kind: 'audio' },
          ];
          for (const decision of decisions) socket.send(JSON.stringify({ ...decision, n: ++n }));
        }
        socket.send(JSON.stringify({ type: 'end', n: n + 1 }));
        socket.close();
      }),
  },
};
