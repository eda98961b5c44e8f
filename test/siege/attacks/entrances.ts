/** Attacks on joining: sessions, passcodes, tokens, TURN credentials. */
import { known } from '../addresses.ts';
import type { Attack, Hands, Seat } from '../hands.ts';

const burst = (count: number, from: number): { type: string; n: number; text: string }[] =>
  Array.from({ length: count }, (_, more) => ({ type: 'chat', n: from + more + 1, text: 'so many words' }));

/** Resumes over another WebSocket, sends the burst of a connection, and abandons it. */
const resumeAndSend = async (hands: Hands, state: { seat: Seat; acknowledged: number }): Promise<void> => {
  const { seat } = state;
  let acked = state.acknowledged;
  const fields = { session: seat.session, after: seat.seq };
  const entered = await hands.enter(seat.room, hands.anywhere, fields, (text) => {
    const [, n] = /"ack","n":(\d+)/.exec(text) ?? [];
    acked = Math.max(acked, Number(n ?? 0));
    seat.seq = Math.max(seat.seq, Number(/"seq":(\d+)/.exec(text)?.[1] ?? 0));
  });
  if (!entered) return hands.pause(50);
  for (const text of burst(400, state.acknowledged)) entered.socket.send(JSON.stringify(text));
  await hands.pause(60);
  hands.count('texts acknowledged', acked - state.acknowledged);
  state.acknowledged = acked;
  entered.socket.terminate();
};

export const entranceAttacks: Record<string, Attack> = {
  'talk by resuming': {
    does: 'one session resumes without pause, and sends a whole burst over each connection',
    async run(hands) {
      const seat = await hands.join('resumed', hands.v4);
      if (!seat) return;
      const state = { seat, acknowledged: 0 };
      await hands.repeat(1, () => resumeAndSend(hands, state));
    },
  },
  'resume without pause': {
    does: 'sessions resume by HTTP and WebSocket as fast as they are allowed, also in an honest room',
    async run(hands) {
      const seats: (Seat | undefined)[] = [];
      await hands.repeat(4, async (hand) => {
        const seat = seats[hand] ?? (await hands.join(hand < 2 ? known.open : `resumed-${hand}`, hands.anywhere));
        seats[hand] = seat;
        if (!seat) return hands.pause(200);
        const fields = { session: seat.session, after: seat.seq };
        if (hand === 1) (await hands.enter(seat.room, seat.from, fields))?.socket.terminate();
        else {
          const again = await hands.join(seat.room, hands.anywhere, fields);
          if (again) seats[hand] = { ...again, seq: seat.seq };
        }
      });
    },
  },
  'rejoin without pause': {
    does: 'joins its own seats again and again without `after`, in a room with a long chat and in an honest one',
    async run(hands) {
      const chatty = await hands.join('chatty', hands.v4);
      if (chatty) {
        const texts = burst(60, 0).map((text) => ({ ...text, text: 'x'.repeat(4000) }));
        await hands.post(chatty, texts);
      }
      const seats: (Seat | undefined)[] = [chatty, await hands.join(known.open, hands.v6), chatty];
      await hands.repeat(3, async (hand) => {
        const seat = seats[hand];
        if (!seat) return hands.pause(1000);
        const body = { session: seat.session };
        const { status, text } = await hands.ask('POST', `/rooms/${seat.room}/join`, hands.anywhere, body);
        hands.count('kB of answers', Math.round(text.length / 1000));
        if (status !== 200) return hands.pause(20);
        seats[hand] = { ...seat, session: JSON.parse(text).session };
      });
    },
  },
  'enter and leave': {
    does: 'joins and leaves an honest room and the lobby of another, without pause and from ever new addresses',
    run: (hands) =>
      hands.repeat(4, async (hand) => {
        const seat = await hands.join(hand % 2 ? known.knock : known.open, hands.v6, { name: 'restless' });
        if (!seat) return hands.pause(20);
        await hands.ask('POST', `/rooms/${seat.room}/leave`, seat.from, {}, seat.session);
      }),
  },
  'set passcodes': {
    does: 'sends 600 `passcode` messages in a row, and joins rooms with right and wrong ones',
    run: (hands) =>
      hands.repeat(2, async (hand, nth) => {
        const room = `hashed-${hand}-${nth}`;
        const host = await hands.enter(room, hands.anywhere);
        if (!host) return hands.pause(100);
        for (let n = 1; n <= 600; n += 1)
          host.socket.send(JSON.stringify({ type: 'passcode', n, passcode: `code ${n}` }));
        for (let times = 0; times < 20 && hands.isRunning; times += 1) {
          await hands.turn();
          await hands.join(room, hands.v6, { passcode: times % 2 ? 'code 600' : 'wrong' });
          await hands.join(room, hands.v4, { passcode: 'code 600' });
        }
        host.socket.close();
      }),
  },
  'guess a passcode': {
    does: 'guesses the passcode of an honest room, from one IPv4 address and all of one IPv6 /48',
    run: (hands) =>
      hands.repeat(4, (hand, nth) =>
        hands.join(known.passcode, hand === 0 ? hands.v4 : hands.v6, { passcode: `${hand} ${nth}` }),
      ),
  },
  'collect TURN names': {
    does: 'joins thousands of times for TURN credentials',
    async run(hands) {
      const names = { v4: new Set<string>(), v6: new Set<string>() };
      await hands.repeat(4, async (hand, nth) => {
        const kind = hand % 2 ? 'v4' : 'v6';
        const reply = await hands.ask('POST', `/rooms/turn-${hand}-${nth % 50}/join`, hands[kind], {});
        const [, name] = /"username":"([^"]+)"/.exec(reply.text) ?? [];
        // The relay's quota counts by this; the expiry before it changes each second.
        if (name !== undefined) names[kind].add(name.replace(/^\d+:/, ''));
        if (reply.status !== 200) return hands.pause(20);
        const { session } = JSON.parse(reply.text);
        await hands.ask('POST', `/rooms/turn-${hand}-${nth % 50}/leave`, hands[kind], {}, session);
      });
      for (const kind of ['v4', 'v6'] as const) hands.count(`TURN names, ${kind}`, names[kind].size);
    },
  },
  'ask without entering': {
    does: 'requests the occupancy and the request echo, and sends wrong tokens and sessions',
    run: (hands) =>
      hands.repeat(4, async (hand, nth) => {
        const room = nth % 2 ? known.open : `asked-${nth}`;
        const wrong = `${'w'.repeat(12)}.${'s'.repeat(32)}`;
        if (hand === 0) await hands.ask('GET', `/rooms/${room}/inside`, hands.anywhere);
        else if (hand === 1) await hands.ask('GET', `/rooms/${room}/seen`, hands.anywhere);
        else if (hand === 2)
          await hands.ask('GET', `/rooms/${room}/events?after=0&wait=25`, hands.v6, undefined, wrong);
        else
          await hands.ask('POST', `/rooms/${room}/join`, hands.v6, { session: wrong, token: 'e30.e30.AA', after: 1 });
      }),
  },
};
