/** `genkan doctor` as its user meets it: words, exit codes, and what is printed. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readWords } from '../../app/doctor/options.ts';
import { freePort } from '../nginx/nginx.ts';
import { genkan, stage } from '../process/program.ts';

const play = stage();
let url: string;
beforeAll(async () => {
  const { address } = await play.start(['--http', '127.0.0.1:0']).said('listening');
  url = `http://${address}`;
});
afterAll(() => play.clear());

describe('the command', () => {
  test('0: all is well, or good enough', () => {
    const { status, stdout, stderr } = genkan('doctor', url);
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^ok +genkan +it is Genkan, genkan\.v1, by --http, without a front end$/m);
    expect(stdout).toMatch(/^warning +ice +no-turn: .*\n +→ /m);
    expect(stdout).toMatch(/^faults: 0, warnings: 1, not tried: 2\n$/m);
    expect(status).toBe(0);
  });

  test('1: something is wrong; --json tells the same to programs', async () => {
    const { status, stdout } = genkan('doctor', '--json', `http://127.0.0.1:${await freePort()}`);
    const { faults, findings } = JSON.parse(stdout);
    expect(faults).toBe(1);
    const what = expect.stringContaining('ECONNREFUSED');
    const fix = expect.stringContaining('conf.d/genkan.conf');
    expect(findings[0]).toEqual({ check: 'address', level: 'fault', name: 'unreachable', what, fix });
    expect(findings.at(-1)).toEqual({ check: 'ice', level: 'skipped', what: 'because of address' });
    expect(status).toBe(1);
  });

  test('2: it was not understood', () => {
    for (const words of [
      [],
      ['meet.example'],
      [url, '--nonsense'],
      [url, '--room', 'a b'],
      [url, '--ca', '/nowhere'],
    ]) {
      const { status, stdout, stderr } = genkan('doctor', ...words);
      expect([status, stdout]).toEqual([2, '']);
      expect(stderr).toMatch(/^genkan: .+/);
    }
  });

  test('a token is no longer secret on a command line; --help says what there is', () => {
    expect(genkan('doctor', '--token', 'a.b.c').stderr).toContain('--token_file');
    const { status, stdout } = genkan('doctor', '--help');
    for (const name of ['slow', 'idle', 'timeout', 'room', 'token', 'ca', 'json'])
      expect(stdout).toContain(`--${name} `);
    expect(status).toBe(0);
  });
});

describe('the words', () => {
  const site = (...words: string[]) => {
    const asked = readWords(words);
    if ('faults' in asked) throw new Error(asked.faults.join('; '));
    return asked.site;
  };

  test.each([
    ['https://meet.example', 'https://meet.example/', 'http://meet.example/'],
    ['https://meet.example/a/b?c#d', 'https://meet.example/a/b/', 'http://meet.example/a/b/'],
    ['https://meet.example/meet/rooms/garden#token=a.b.c', 'https://meet.example/meet/', 'http://meet.example/meet/'],
    ['https://meet.example:8443/', 'https://meet.example:8443/', undefined],
    ['http://localhost:9090', 'http://localhost:9090/', undefined],
  ])('%s', (given, page, plain) => {
    expect(site(given).url.href).toBe(page);
    expect(site(given).plain?.href).toBe(plain);
  });

  test('silence is waited for when it is asked for', () => {
    expect(site(url).idle).toBe(undefined);
    expect(site('--slow', url).idle).toBe(75_000);
    expect(site(url, '--idle', '3').idle).toBe(3000);
  });

  test('rooms are nobody else’s, or the one that is named', () => {
    expect(new Set([...site(url).rooms, ...site(url).rooms]).size).toBe(8);
    expect(site(url, '--room', '玄関').rooms).toEqual(['%E7%8E%84%E9%96%A2']);
  });
});
