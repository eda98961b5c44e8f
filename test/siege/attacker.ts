/** The attacker, in a process of its own: runs the attacks of its job for so many seconds, and reports the results. */
import { attacks } from './attacks.ts';
import { Hands } from './hands.ts';

/** `share`: of one processor that it uses at most, so that the server is tested and not the machine. */
export type Job = { port: number; attacks: string[]; seconds: number; share: number };
/** The results of the attacker: by attack, the number of responses of each kind. */
export type Spoils = Record<string, Record<string, number>>;

const job: Job = JSON.parse(process.argv[2] ?? '');
// An error here ends an attack early, as intended.
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
