/** The pages for authors of clients match the code: every message, error and default, and exchanges that parse. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { readSignal } from '../../app/client/link-signal.ts';
import { schema } from '../../app/config/schema.ts';
import { showDefault } from '../../app/config/setting-metadata.ts';
import { guarantees } from '../../app/conform/spec.ts';
import { errorResponseOf, type RefusalCode } from '../../app/listener/error-response.ts';
import { type ErrorCode, errors, fateOf } from '../../app/protocol/errors.ts';
import { clientExamples } from '../../app/protocol/examples.ts';
import { eventsAnswer } from '../../app/protocol/http-answers.ts';
import { most } from '../../app/protocol/limits.ts';
import { clientMessage, join as joinMessage, serverMessage } from '../../app/protocol/messages.ts';
import { directory } from './published.ts';

const pages = new Map(
  ['README.md', 'reference.md'].map((name) => [name, readFileSync(join(directory, name), 'utf8')] as const),
);
const section = (title: string): string =>
  [...pages.values()].flatMap((page) => page.split(/^## /m)).find((part) => part.startsWith(`${title}\n`)) ?? '';
const cellsOf = (text: string): string[][] =>
  text
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    );
const namesIn = (cell = ''): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);

test.each([
  ['Client → server', clientMessage],
  ['Server → client', serverMessage],
])('%s: the page lists every message with its fields', (title, { options }) => {
  const rowsByType = new Map(
    cellsOf(section(title)).flatMap(([names, fields]) => namesIn(names).map((name) => [name, fields])),
  );
  for (const { shape } of options) {
    const { type, ...fields } = shape;
    // For zod a field of any value may be absent; a signal's data may not.
    const isOptional = (name: string, field: z.ZodType) => name !== 'data' && field.isOptional();
    const wanted = Object.entries(fields).map(([name, field]) => (isOptional(name, field) ? `${name}?` : name));
    const [written = ''] = namesIn(rowsByType.get(type.value));
    expect([type.value, written.split(' ').filter(Boolean).sort()]).toEqual([type.value, wanted.sort()]);
  }
  expect(rowsByType.size).toBe(options.length);
});

test('the page lists every error with its close code and sentence', () => {
  const codes = Object.keys(errors) as ErrorCode[];
  const rows = codes.map((code) => {
    const { status, close = '', retry = '', message } = fateOf(code);
    return [`\`${code}\``, String(status), String(close), String(retry), message];
  });
  expect(cellsOf(section('Errors'))).toEqual(rows);
});

test('the page lists every error of the listener with its status', () => {
  const codes = {
    'bad-request': true,
    'request-timeout': true,
    'body-too-large': true,
    'unknown-host': true,
    'rate-limited': true,
    'header-too-large': true,
    harakiri: true,
  } satisfies Record<RefusalCode, true>;
  const rows = new Map(cellsOf(section('HTTP errors')).map(([code, status]) => [namesIn(code)[0], Number(status)]));
  for (const code of Object.keys(codes) as RefusalCode[])
    expect([code, rows.get(code)]).toEqual([code, errorResponseOf(code).status]);
  // The app itself has one more, for unknown URLs.
  expect(rows.size).toBe(Object.keys(codes).length + 1);
});

test('the page lists the limits with their defaults', () => {
  const rows = cellsOf(section('Limits'));
  expect(rows.length).toBeGreaterThan(15);
  for (const [settings, defaults = ''] of rows) {
    const real = namesIn(settings).map((name) => showDefault(schema.shape[name as keyof typeof schema.shape]));
    expect([settings, defaults.split(', ').map((value) => `default ${value}`)]).toEqual([settings, real]);
  }
});

test('the page lists the limits that are the same on every server', () => {
  for (const limit of [most.name, most.text, most.passcode, most.token, most.signal, most.depth])
    expect(section('Limits')).toContain(`| ${limit.toLocaleString('en').replace(',', ' ')} `);
});

test('the example conversation is valid', () => {
  const blocks = section('A conversation').matchAll(/```text\n(.*?)```/gs);
  const lines = [...blocks].flatMap(([, block = '']) =>
    block
      .replaceAll(/\n {8}/g, '')
      .split('\n')
      .filter(Boolean),
  );
  expect(lines.length).toBeGreaterThan(25);
  for (const line of lines) {
    const [, arrow, text = ''] = /^\w+ +([→←]) (.*)$/.exec(line) ?? [];
    expect(() => (arrow === '→' ? clientMessage : serverMessage).parse(JSON.parse(text)), line).not.toThrow();
  }
});

/** The schemas of posted bodies and of their responses. */
const posted = z.union([joinMessage.omit({ type: true }).strict(), z.array(clientMessage).min(1)]);
const replies = z.object({ messages: z.array(serverMessage).min(1) }).strict();

test('the example requests and responses by HTTP are valid', () => {
  const blocks = [...section('The same by polls').matchAll(/```text\n(.*?)```/gs)].map(([, block = '']) => block);
  const lines = blocks
    .join('')
    .replaceAll(/\n {8}/g, '')
    .split('\n')
    .filter(Boolean);
  const bodies = lines.flatMap((line, at) => {
    if (!line.startsWith('  ')) return [];
    return [{ isPosted: lines[at - 1]?.startsWith('→'), body: JSON.parse(line) }];
  });
  expect(bodies.length).toBeGreaterThan(8);
  const answered = z.union([eventsAnswer.strict(), replies, serverMessage]);
  for (const { isPosted, body } of bodies)
    expect(() => (isPosted ? posted : answered).parse(body), JSON.stringify(body)).not.toThrow();
});

test('the messages of the example stream are valid', () => {
  const data = [...section('The same by a stream').matchAll(/^data: (.*)$/gm)].map(([, text = '']) => text);
  expect(data.length).toBe(2);
  for (const text of data) expect(() => serverMessage.parse(JSON.parse(text)), text).not.toThrow();
});

test('the library accepts the signals in examples', () => {
  const texts = [...pages.values()].flatMap((page) =>
    page
      .replaceAll(/\n {8}/g, '')
      .split('\n')
      .filter((line) => !line.startsWith('|')),
  );
  const found = texts.flatMap((line) => [...line.matchAll(/"data":(\{(?:\{.*?\}|[^{}])*\})/g)]);
  const rows = cellsOf(section('Between peers')).flatMap(([cell]) => namesIn(cell));
  const signals = [...found.map(([, data = '']) => data), ...rows.filter((row) => row.startsWith('{"link"'))];
  expect(signals.length).toBeGreaterThan(15);
  for (const data of [...signals, JSON.stringify(clientExamples.signal?.data)])
    expect(readSignal(JSON.parse(data)), data).toBeDefined();
});

test('the page lists the tested guarantees', () => {
  for (const { title } of guarantees) expect(section('Conformance tests')).toContain(`  ${title}  `);
});

const anchorsOf = (path: string): string[] =>
  [...readFileSync(path, 'utf8').matchAll(/^###? (.*)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} -]/gu, '')
      .replaceAll(' ', '-'),
  );

test.each(['README.md', 'reference.md', '../client/README.md', '../client/page/README.md'])(
  'links in %s lead somewhere, and lines are not too long',
  (name) => {
    const path = join(directory, name);
    const page = readFileSync(path, 'utf8');
    for (const [, to = '', anchor] of page.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)/g)) {
      const target = join(dirname(path), to);
      expect([to, existsSync(target)]).toEqual([to, true]);
      if (anchor !== undefined) expect(anchorsOf(to === '' ? path : target)).toContain(anchor);
    }
    expect(page.split('\n').filter((line) => line.length > 160)).toEqual([]);
  },
);
