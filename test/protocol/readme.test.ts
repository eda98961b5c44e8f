/** The page for authors of clients says what the code does: every message, error and default, and a conversation that parses. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { z } from 'zod';
import { schema } from '../../app/config/schema.ts';
import { showDefault } from '../../app/config/setting-metadata.ts';
import { guarantees } from '../../app/conform/spec.ts';
import { type ErrorCode, errors, fateOf } from '../../app/protocol/errors.ts';
import { clientMessage, serverMessage } from '../../app/protocol/messages.ts';
import { directory } from './published.ts';

const page = readFileSync(join(directory, 'README.md'), 'utf8');
const section = (title: string): string => page.split(/^## /m).find((part) => part.startsWith(`${title}\n`)) ?? '';
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
])('%s: every message with its fields', (title, { options }) => {
  const told = new Map(
    cellsOf(section(title)).flatMap(([names, fields]) => namesIn(names).map((name) => [name, fields])),
  );
  for (const { shape } of options) {
    const { type, ...fields } = shape;
    // To zod a field of any value may be absent; a signal's data may not.
    const isOptional = (name: string, field: z.ZodType) => name !== 'data' && field.isOptional();
    const wanted = Object.entries(fields).map(([name, field]) => (isOptional(name, field) ? `${name}?` : name));
    const [written = ''] = namesIn(told.get(type.value));
    expect([type.value, written.split(' ').filter(Boolean).sort()]).toEqual([type.value, wanted.sort()]);
  }
  expect(told.size).toBe(options.length);
});

test('every error with its fate and sentence', () => {
  const codes = Object.keys(errors) as ErrorCode[];
  const rows = codes.map((code) => {
    const { status, close = '', retry = '', message } = fateOf(code);
    return [`\`${code}\``, String(status), String(close), String(retry), message];
  });
  expect(cellsOf(section('Errors'))).toEqual(rows);
});

test('limits with their defaults', () => {
  const rows = cellsOf(section('Limits'));
  expect(rows.length).toBeGreaterThan(15);
  for (const [settings, defaults = ''] of rows) {
    const real = namesIn(settings).map((name) => showDefault(schema.shape[name as keyof typeof schema.shape]));
    expect([settings, defaults.split(', ').map((value) => `default ${value}`)]).toEqual([settings, real]);
  }
});

test('what is said in the conversation is of the protocol', () => {
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

test('the guarantees that are tested', () => {
  for (const { title } of guarantees) expect(section('Conformance tests')).toContain(`  ${title}  `);
});

test('links within the page lead somewhere, and lines are not too long', () => {
  const anchors = [...page.matchAll(/^## (.*)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} -]/gu, '')
      .replaceAll(' ', '-'),
  );
  for (const [, anchor] of page.matchAll(/\]\(#([^)]+)\)/g)) expect(anchors).toContain(anchor);
  expect(page.split('\n').filter((line) => line.length > 140)).toEqual([]);
});
