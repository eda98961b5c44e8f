/** The arguments of `genkan doctor`, and the site that they describe. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { loadAs } from '../config/load.ts';
import { messageOf, type Result } from '../config/result.ts';
import { settingMetadata } from '../config/setting-metadata.ts';
import { flag, path, seconds, text } from '../config/value-types.ts';
import { roomName } from '../protocol/messages.ts';
import type { Site } from './target.ts';

export const options = {
  slow: flag().default(false).register(settingMetadata, {
    help: 'also check whether idle WebSockets and long polls are cut, during the other checks',
  }),
  idle: seconds(1, 3600).default(75).register(settingMetadata, {
    help: 'seconds that an idle WebSocket must stay open; when set, it is checked without --slow too',
  }),
  timeout: seconds(1, 300).default(5).register(settingMetadata, { help: 'seconds to wait for a response' }),
  room: text(/^\S+$/, 'the name of a room', 'NAME').optional().register(settingMetadata, {
    help: 'room to check; its peers see the doctor join. When not set: separate rooms, doctor-…',
  }),
  token: text(/^[\w-]+\.[\w-]+\.[\w-]+$/, 'a token, as genkan token prints it', 'TOKEN')
    .optional()
    .register(settingMetadata, {
      help: 'token to join with, as printed by genkan token --room "doctor-*" --role host; sent only to this site, and only if its certificate is valid',
      secret: true,
    }),
  ca: path().optional().register(settingMetadata, {
    help: 'PEM file of your own certificate authority, for the site and the TURN server',
  }),
  json: flag().default(false).register(settingMetadata, { help: 'print the findings as JSON' }),
};

const schema = z.object(options);

type ParsedArguments = Result<{ site: Site; json: boolean }> & { notes: string[] };

/** @param words the URL of the page or of one of its rooms, and options, in any order */
export const readWords = (words: string[]): ParsedArguments => {
  const urlIndex = words.findIndex((word) => /^https?:/i.test(word));
  const loaded = loadAs(schema, () => [], urlIndex < 0 ? words : words.toSpliced(urlIndex, 1), {});
  const url = siteUrl(words[urlIndex] ?? '');
  const faults = 'faults' in loaded ? loaded.faults : [];
  if (!url)
    faults.push('doctor: write the address of the page, such as https://meet.example or https://meet.example/path/');
  if ('faults' in loaded || !url) return { faults, notes: loaded.notes };
  const { ca, idle, json, room, slow, timeout, token } = loaded.settings;
  const waitsForIdle = slow || loaded.given.has('idle');
  try {
    const site: Site = {
      url,
      plain: plainOf(url),
      ca: ca === undefined ? undefined : readFileSync(ca, 'utf8'),
      token,
      rooms: roomsOf(room),
      timeout: timeout * 1000,
      idle: waitsForIdle ? idle * 1000 : undefined,
    };
    return { site, json, notes: loaded.notes };
  } catch (error) {
    return { faults: [messageOf(error)], notes: loaded.notes };
  }
};

/** The URL of the page, ending with a slash; undefined if the text is not a URL. */
const siteUrl = (text: string): URL | undefined => {
  if (!URL.canParse(text)) return undefined;
  const { origin, pathname } = new URL(text);
  return new URL(origin + pathname.replace(/(?:\/rooms\/[^/]*)?\/*$/, '/'));
};

const plainOf = ({ protocol, port, hostname, pathname }: URL): URL | undefined =>
  protocol === 'https:' && port === '' ? new URL(`http://${hostname}${pathname}`) : undefined;

/** Several: without routing by room, two peers of one room may still reach the same worker by chance. */
const roomsOf = (room: string | undefined): Site['rooms'] => {
  if (room !== undefined && !roomName.safeParse(room).success)
    throw new Error(`--room: ${room} cannot be a room's name`);
  if (room !== undefined) return [encodeURIComponent(room.normalize('NFC'))];
  const name = `doctor-${randomBytes(8).toString('hex')}`;
  return [`${name}-1`, `${name}-2`, `${name}-3`, `${name}-4`];
};
