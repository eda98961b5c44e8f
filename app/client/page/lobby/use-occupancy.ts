/** Who is in a room, shown before joining, as far as the server reveals it. */
import { useEffect, useState } from 'preact/hooks';
import type { Inside } from '../../../protocol/http-answers.ts';
import { HttpRequest } from '../../request.ts';
import { list } from '../i18n/format.ts';
import { words } from '../i18n/i18n.ts';
import { recallToken } from '../storage.ts';

const interval = 20_000;
const timeout = 10_000;
/** In larger rooms only the number of peers is shown. */
const mostNames = 6;
/** Upper bounds for the peers of a room and the characters of a name. */
const mostPeers = 1_000;
const longestName = 64;

/** Polls while the page is visible. Undefined = not known. */
export const useOccupancy = (room: string): Inside | undefined => {
  const [occupancy, setOccupancy] = useState<Inside>();
  useEffect(() => {
    let request = new HttpRequest();
    let unmounted = false;
    const poll = async () => {
      if (document.hidden) return;
      request = new HttpRequest();
      const next = await requestOccupancy(room, request);
      if (!unmounted) setOccupancy(next);
    };
    void poll();
    const timer = setInterval(poll, interval);
    return () => {
      unmounted = true;
      request.end();
      clearInterval(timer);
    };
  }, [room]);
  return occupancy;
};

const requestOccupancy = async (room: string, request: HttpRequest): Promise<Inside | undefined> => {
  const token = recallToken(room);
  try {
    const url = new URL(`rooms/${encodeURIComponent(room)}/inside`, document.baseURI);
    const response = await request.send(url, { headers: token ? { authorization: `Bearer ${token}` } : {} }, timeout);
    const text = await request.text(response);
    return response?.ok ? parseOccupancy(JSON.parse(text)) : undefined;
  } catch {
    return undefined;
  }
};

/** Keeps only what has the right shape and will be shown. */
const parseOccupancy = (data: unknown): Inside => {
  const { peers, names } = Object(data);
  const texts = Array.isArray(names) ? names.filter((name): name is string => typeof name === 'string') : [];
  return {
    ...(Number.isSafeInteger(peers) && { peers: Math.max(0, Math.min(peers, mostPeers)) }),
    ...(texts.length > 0 && { names: texts.slice(0, mostNames).map((name) => name.slice(0, longestName)) }),
  };
};

/** Undefined if the number of peers is not known. */
export const occupancySentence = ({ peers, names = [] }: Inside): string | undefined => {
  const { lobby } = words;
  if (peers === undefined) return undefined;
  if (peers === 0) return lobby.empty;
  const everyone = [...names, ...Array<string>(Math.max(0, peers - names.length)).fill(words.someone)];
  return names.length > 0 && peers <= mostNames ? lobby.names(list(everyone)) : lobby.inside(peers);
};
