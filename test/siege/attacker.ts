/** The attacker, a process of its own: does for so many seconds what its job names, and tells what came of it. */
import { attacks } from './attacks.ts';
import { Hands } from './hands.ts';

/** `share`: of one processor that it takes at most; it is the server that is tried out, and not the machine. */
export type Job = { port: number; attacks: string[]; seconds: number; share: number };
/** What the attacker did: how often what was answered, by attack. */
export type Spoils = Record<string, Record<string, number>>;

const job: Job = JSON.parse(process.argv[2] ?? '');
// What breaks in here is an attack that is cut off, as wanted.
process.on('uncaughtException', (error) => {
  if (process.env.SIEGE_DEBUG) console.error(error);
});
const until = performance.now() + job.seconds * 1000;
const spoils: Spoils = {};
const under: Promise<unknown>[] = [];
for (const name of job.attacks) {
  const counts: Record<string, number> = {};
  spoils[name] = counts;
  const attack = attacks[name];
  if (attack) under.push(attack.run(new Hands({ port: job.port, until, share: job.share, counts })));
}
under.push(new Promise((resolve) => setTimeout(resolve, job.seconds * 1000)));
// Some hang where the server lets them.
const late = new Promise((resolve) => setTimeout(resolve, (job.seconds + 2) * 1000));
await Promise.race([Promise.allSettled(under), late]);
process.send?.(spoils);
process.disconnect?.();
process.exit(0);
