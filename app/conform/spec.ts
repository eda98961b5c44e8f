/** The spec: the guarantees of signaling as test cases that run against any server, over each transport. */

import type { Case } from './case.ts';
import { away } from './cases/away.ts';
import { binarySignals } from './cases/binary.ts';
import { closing } from './cases/closing.ts';
import { errorCases } from './cases/errors.ts';
import { hosts } from './cases/hosts.ts';
import { knocking } from './cases/knocking.ts';
import { limits } from './cases/limits.ts';
import { malformed } from './cases/malformed.ts';
import { offers } from './cases/offers.ts';
import { once } from './cases/once.ts';
import { relay } from './cases/relay.ts';
import { requests } from './cases/requests.ts';
import { streams } from './cases/streams.ts';

type Guarantee = { title: string; cases: Case[] };

/** 1 to 7 are the guarantees of the protocol; verdicts refer to these numbers. */
export const guarantees: Guarantee[] = [
  { title: 'the server decides who offers; old epochs are refused', cases: offers },
  { title: 'signals are relayed unread to one peer of the room', cases: relay },
  { title: 'messages are accepted and delivered once, in order', cases: once },
  { title: 'a lost connection can be resumed without loss', cases: away },
  { title: 'a close code says whether to reconnect', cases: closing },
  { title: 'every error has the documented code and status', cases: [...errorCases, ...malformed] },
  { title: 'all resources are limited', cases: limits },
  { title: 'hosts decide who may join and stay', cases: [...hosts, ...knocking] },
  { title: 'each transport works as documented', cases: [...requests, ...streams, ...binarySignals] },
];
