/** Creates a new room on the server, so that its settings and its host exist before anyone else can enter. */
import { HttpRequest } from '../../request.ts';
import type { CallOptions } from '../call/call-model.ts';
import { rememberCreated, takeCreated } from '../storage.ts';

const timeout = 5_000;
const pending = new Map<string, Promise<void>>();

/** In the background: the lobby is shown meanwhile. If it fails, the settings are applied after joining. */
export const createRoom = (room: string, options: CallOptions): void => {
  pending.set(room, requestRoom(room, options));
};

/** The session that joins a room which this tab has created, once. Undefined = it has not. */
export const createdSession = async (room: string): Promise<string | undefined> => {
  await pending.get(room);
  pending.delete(room);
  return takeCreated(room);
};

const requestRoom = async (room: string, { access, passcode }: CallOptions): Promise<void> => {
  const request = new HttpRequest();
  const url = new URL(`rooms/${encodeURIComponent(room)}/create`, document.baseURI);
  const body = JSON.stringify({ access, ...(passcode === '' ? {} : { passcode }) });
  const headers = { 'content-type': 'application/json' };
  const response = await request.send(url, { method: 'POST', headers, body }, timeout);
  const text = await request.text(response);
  if (response?.ok) rememberCreated(room, sessionIn(text));
};

const sessionIn = (text: string): string => {
  try {
    const { session } = Object(JSON.parse(text));
    return typeof session === 'string' ? session : '';
  } catch {
    return '';
  }
};
