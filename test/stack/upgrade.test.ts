/** A tab that was opened before the server was upgraded, in a real browser: with the old build's files kept, and without them. */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join as joinPath } from 'node:path';
import type { Browser } from 'playwright-core';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { without } from '../setup/without.ts';
import { type Site, startSite } from '../signaling/site.ts';
import { join, launch, open, type Person, picture, untilSeen } from './browser.ts';

const root = joinPath(import.meta.dirname, '../..');
const types: Record<string, string> = { '.js': 'text/javascript', '.css': 'text/css', '.png': 'image/png' };

describe.skipIf(without('chromium'))('a tab from before an upgrade', () => {
  const directory = mkdtempSync(joinPath(tmpdir(), 'genkan-upgrade-'));
  let browser: Browser;
  let site: Site;
  beforeAll(async () => {
    await Promise.all([buildOf('A'), buildOf('B')]);
    [browser, site] = await Promise.all([launch(), startSite([])]);
  });
  afterAll(async () => {
    await browser?.close();
    await site?.stop();
    rmSync(directory, { recursive: true });
  });

  /** Laid out as on a server: dist/public and its publisher. All of its scripts differ from those of another name. */
  const buildOf = async (name: string): Promise<void> => {
    const place = joinPath(directory, name);
    mkdirSync(joinPath(place, 'deploy'), { recursive: true });
    cpSync(joinPath(root, 'deploy/publish.mjs'), joinPath(place, 'deploy/publish.mjs'));
    await build({
      configFile: joinPath(root, 'app/client/vite.config.ts'),
      logLevel: 'silent',
      build: { outDir: joinPath(place, 'dist/public') },
      plugins: [
        {
          name: 'another',
          transform: (code: string, id: string) =>
            /locales\/en\.ts$/.test(id) ? code.replace('Talk face to face', `Talk face to face: ${name}`) : undefined,
        },
      ],
    });
  };

  /** A front end that serves pages of the running build, files from where builds are published, and forwards the rest. */
  const startFront = async () => {
    const files = mkdtempSync(joinPath(directory, 'files-'));
    let running = 'A';
    const publish = (name: string) => {
      execFileSync(process.execPath, [joinPath(directory, name, 'deploy/publish.mjs'), files], { stdio: 'ignore' });
      running = name;
    };
    const upstream = new URL(site.direct.http);
    const pass = (incoming: IncomingMessage, answer: ServerResponse) => {
      const { method, url, headers } = incoming;
      const onward = request({ ...{ host: upstream.hostname, port: upstream.port }, method, path: url, headers });
      onward.on('response', (from) => from.pipe(answer.writeHead(from.statusCode ?? 502, from.headers)));
      incoming.pipe(onward);
    };
    const server = createServer((incoming, answer) => {
      const { url = '/' } = incoming;
      if (/^\/(rooms\/[^/]+)?$/.test(url)) {
        answer.setHeader('content-type', 'text/html');
        return answer.end(readFileSync(joinPath(directory, running, 'dist/public/index.html')));
      }
      if (!url.startsWith('/js/')) return pass(incoming, answer);
      const file = joinPath(files, url);
      if (!existsSync(file)) return answer.writeHead(404).end();
      answer.setHeader('content-type', types[extname(file)] ?? 'application/octet-stream');
      return answer.end(readFileSync(file));
    });
    server.on('upgrade', ({ url, headers }, socket, head) => {
      const onward = connect(Number(upstream.port), upstream.hostname);
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
      onward.write(`GET ${url} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
      onward.write(head);
      onward.pipe(socket).pipe(onward);
      for (const end of [onward, socket]) end.on('error', () => end.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      server.close();
      server.closeAllConnections();
    });
    const address = server.address();
    publish('A');
    const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
    return { url, files, publish };
  };

  const arrive = async (url: string): Promise<Person> => {
    const person = await open(browser, url);
    onTestFinished(() => person.context.close());
    return person;
  };
  const press = ({ page }: Person, name: string) => page.getByRole('button', { name, exact: true }).click();

  test('continues with the old files if they are kept, and meets a new tab', async () => {
    const { url, publish } = await startFront();
    const old = await arrive(url);
    await old.page.getByText('Talk face to face: A').waitFor();
    publish('B');
    await old.page.getByLabel('Room name').fill('both');
    await press(old, 'Go to room');
    await join(old, 'Aiko');
    const fresh = await arrive(`${url}/`);
    await fresh.page.getByText('Talk face to face: B').waitFor();
    await fresh.page.goto(`${url}/rooms/both`);
    await join(fresh, 'Ben');
    await Promise.all([untilSeen(old, 1), untilSeen(fresh, 1)]);
    expect(old.complaints).toEqual([]);
  });

  test('says so before joining if they are gone, and joins after a reload, with the chosen access', {
    tags: ['slow'],
  }, async () => {
    const { url, files, publish } = await startFront();
    const old = await arrive(url);
    await old.page.getByText('Who can join').click();
    await old.page.getByLabel('Only people a host admits').check();
    rmSync(joinPath(files, 'js'), { recursive: true });
    rmSync(joinPath(files, '.builds.json'));
    publish('B');
    await press(old, 'New room');
    await press(old, 'Check my connection');
    await old.page.getByRole('dialog', { name: 'This page is out of date' }).waitFor();
    await old.page.keyboard.press('Escape');
    await press(old, 'Join');
    await old.page.getByRole('heading', { name: 'This page is out of date' }).waitFor();
    await picture(old, 'outdated');
    await press(old, 'Reload page');
    await join(old, 'Aiko');
    await old.page.getByText('New guests must now be admitted.').waitFor();
  });

  test('says so in a call, and the call continues', { tags: ['slow'] }, async () => {
    const { url, files } = await startFront();
    const [old, other] = [await arrive(`${url}/rooms/during`), await arrive(`${url}/rooms/during`)];
    await Promise.all([join(old, 'Aiko'), join(other, 'Ben')]);
    rmSync(joinPath(files, 'js'), { recursive: true });
    await press(old, 'More');
    await press(old, 'Invite…');
    await old.page.getByText('The QR code could not be loaded.').waitFor();
    await untilSeen(old, 1);
  });
});
