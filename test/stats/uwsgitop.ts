/**
 * What uwsgitop 0.12 does with an address, in its order and with its demands: read to the end without a word, and miss no
 * key it takes for granted. https://github.com/xrmx/uwsgitop/blob/41e7ace/uwsgitop
 */
import { connect } from 'node:net';

type Json = Record<string, unknown>;

/** The lines it would show. @throws where it would die of a KeyError or a wrong %d */
export const uwsgitop = async (address: string): Promise<string[]> => {
  const told = fields(JSON.parse(await read(address)));
  const workers = list(told, 'workers').map(fields);
  const tx = workers.reduce((sum, worker) => sum + whole(worker, 'tx'), 0);
  const requests = workers.reduce((sum, worker) => sum + whole(worker, 'requests'), 0);
  return [
    `uwsgi-${text(told, 'version')} - req: ${requests} - lq: ${told.listen_queue ?? 0} - tx: ${tx}`,
    `cwd: ${text(told, 'cwd')} - uid: ${whole(told, 'uid')} - gid: ${whole(told, 'gid')} - masterpid: ${whole(told, 'pid')}`,
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
  let heard = '';
  for await (const chunk of socket.setEncoding('utf8')) heard += chunk;
  return heard;
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
/** Integers and nothing else: uWSGI's flags are 0 and 1, too. */
const whole = (from: Json, name: string): number => {
  const value = from[name];
  if (!Number.isInteger(value)) throw new Error(`KeyError: ${name} (${value})`);
  return Number(value);
};
