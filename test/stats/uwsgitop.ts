/**
 * What uwsgitop 0.12 does with an address, in its order and with its requirements: reads to the end without sending anything, and fails
 * without a key it takes for granted. https://github.com/xrmx/uwsgitop/blob/41e7ace/uwsgitop
 */
import { connect } from 'node:net';

type Json = Record<string, unknown>;

/**
 * The lines it would print.
 * @throws where it would fail with a KeyError or a wrong %d
 */
export const uwsgitop = async (address: string): Promise<string[]> => {
  const stats = fields(JSON.parse(await read(address)));
  const workers = list(stats, 'workers').map(fields);
  const tx = workers.reduce((sum, worker) => sum + whole(worker, 'tx'), 0);
  const requests = workers.reduce((sum, worker) => sum + whole(worker, 'requests'), 0);
  return [
    `uwsgi-${text(stats, 'version')} - req: ${requests} - lq: ${stats.listen_queue ?? 0} - tx: ${tx}`,
    `cwd: ${text(stats, 'cwd')} - uid: ${whole(stats, 'uid')} - gid: ${whole(stats, 'gid')} - masterpid: ${whole(stats, 'pid')}`,
    ...workers.toSorted((a, b) => whole(b, 'requests') - whole(a, 'requests')).map(row),
    ...workers.flatMap((worker) => list(worker, 'cores').map((core) => coreRow(fields(core)))),
  ];
};

const row = (worker: Json): string =>
  [
    ...['id', 'pid', 'requests', 'exceptions', 'signals'].map((name) => whole(worker, name)),
    text(worker, 'status'),
    `${whole(worker, 'avg_rt') / 1000}ms`,
    ...['rss', 'vsz', 'tx', 'respawn_count', 'harakiri_count'].map((name) => whole(worker, name)),
    whole(worker, 'running_time') / 1000,
    new Date(whole(worker, 'last_spawn') * 1000).toISOString(),
  ].join('\t');

const coreRow = (core: Json): string =>
  `:${whole(core, 'id')}\t${whole(core, 'requests')}\t${whole(core, 'in_request') ? 'busy' : 'idle'}`;

const read = async (address: string): Promise<string> => {
  if (address.startsWith('http://')) return (await fetch(address)).text();
  const at = address.lastIndexOf(':');
  const socket = at < 0 ? connect(address) : connect(Number(address.slice(at + 1)), address.slice(0, at));
  let received = '';
  for await (const chunk of socket.setEncoding('utf8')) received += chunk;
  return received;
};

const fields = (value: unknown): Json => {
  if (typeof value !== 'object' || value === null) throw new Error(`not an object: ${value}`);
  return { ...value };
};
const list = (from: Json, name: string): unknown[] => {
  const value = from[name];
  if (!Array.isArray(value)) throw new Error(`KeyError: ${name}`);
  return value;
};
const text = (from: Json, name: string): string => {
  const value = from[name];
  if (typeof value !== 'string') throw new Error(`KeyError: ${name}`);
  return value;
};
/** Only integers: uWSGI's flags are 0 and 1, too. */
const whole = (from: Json, name: string): number => {
  const value = from[name];
  if (!Number.isInteger(value)) throw new Error(`KeyError: ${name} (${value})`);
  return Number(value);
};
