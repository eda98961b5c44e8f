/** Creates a new room on the server, so that its settings and its host exist before anyone else can enter. */
import { HttpRequest } from '../../request.ts';
import type { CallOptions } from '../call/call-model.ts';
import { rememberCreated } from '../storage.ts';

const timeout = 5_000;

/** Resolves when this tab has the session that joins it, also if that fails: then the settings are applied after joining. */
export const createRoom = async (room: string, { access, passcode }: CallOptions): Promise<void> => {
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
