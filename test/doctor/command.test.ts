/** `genkan doctor` as a user sees it: arguments, exit codes and output. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readWords } from '../../app/doctor/options.ts';
import { genkan, stage } from '../process/program.ts';
import { freePort } from '../setup/free-port.ts';

const play = stage();
let url: string;
beforeAll(async () => {
  const { address } = await play.start(['--http', '127.0.0.1:0']).logged('listening');
  url = `http://${address}`;
});
afterAll(() => play.clear());

describe('the command', () => {
  test('exits with 0 if all is well or there are only warnings', () => {
    const { status, stdout, stderr } = genkan('doctor', url);
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^ok +genkan +it is Genkan, genkan\.v1, by --http, without a front end$/m);
    expect(stdout).toMatch(/^warning +ice +no-turn: .*\n +→ /m);
    expect(stdout).toMatch(/^faults: 0, warnings: 1, not tried: 2\n$/m);
    expect(status).toBe(0);
  });

  test('exits with 1 for a fault; --json prints the same as JSON', async () => {
    const { status, stdout } = genkan('doctor', '--json', `http://127.0.0.1:${await freePort()}`);
    const { faults, findings } = JSON.parse(stdout);
    expect(faults).toBe(1);
    const what = expect.stringContaining('ECONNREFUSED');
    const fix = expect.stringContaining('conf.d/genkan.conf');
    expect(findings[0]).toEqual({ check: 'address', level: 'fault', name: 'unreachable', what, fix });
    expect(findings.at(-1)).toEqual({ check: 'ice', level: 'skipped', what: 'because of address' });
    expect(status).toBe(1);
  });

  test('exits with 2 for invalid arguments', () => {
    const { status, stdout, stderr } = genkan('doctor', url, '--nonsense');
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/^genkan: .+/);
  });

  test('warns about a token on the command line; --help lists the options', () => {
    expect(genkan('doctor', '--token', 'a.b.c').stderr).toContain('--token_file');
    const { status, stdout } = genkan('doctor', '--help');
    for (const name of ['slow', 'idle', 'timeout', 'room', 'token', 'ca', 'json'])
      expect(stdout).toContain(`--${name} `);
    expect(status).toBe(0);
  });
});

describe('the arguments', () => {
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

  test.each([
    [[], 'doctor: write the address of the page'],
    [['meet.example'], 'doctor: write the address of the page'],
    [['https://meet.example', '--room', 'a b'], '--room: must be the name of a room'],
    [['https://meet.example', '--ca', '/nowhere'], 'ENOENT'],
  ])('%j are refused: %s', (words, sentence) => {
    const read = readWords(words);
    expect('faults' in read && read.faults.at(-1)).toContain(sentence);
  });

  test('--slow and --idle set how long idle connections are tested', () => {
    expect(site(url).idle).toBe(undefined);
    expect(site('--slow', url).idle).toBe(75_000);
    expect(site(url, '--idle', '3').idle).toBe(3000);
  });

  test('rooms are random, or the one given', () => {
    expect(new Set([...site(url).rooms, ...site(url).rooms]).size).toBe(8);
    expect(site(url, '--room', '玄関').rooms).toEqual(['%E7%8E%84%E9%96%A2']);
  });
});
