/** Who is in a room that has not been entered, as far as the server tells. */
import { useEffect, useState } from 'preact/hooks';
import type { Inside } from '../../../protocol/messages.ts';
import { HttpRequest } from '../../request.ts';
import { list } from '../i18n/format.ts';
import { words } from '../i18n/i18n.ts';
import { recallToken } from '../storage.ts';

const interval = 20_000;
const patience = 10_000;
/** With more it is a number. */
const mostNames = 6;
/** As many as a room can have, and characters of a name. */
const mostPeers = 1_000;
const longestName = 64;

/** Asked now and again while somebody looks. Undefined = not known. */
export const useOccupancy = (room: string): Inside | undefined => {
  const [inside, setInside] = useState<Inside>();
  useEffect(() => {
    let request = new HttpRequest();
    let gone = false;
    const ask = async () => {
      if (document.hidden) return;
      request = new HttpRequest();
      const told = await askFor(room, request);
      if (!gone) setInside(told);
    };
    void ask();
    const timer = setInterval(ask, interval);
    return () => {
      gone = true;
      request.end();
      clearInterval(timer);
    };
  }, [room]);
  return inside;
};

const askFor = async (room: string, request: HttpRequest): Promise<Inside | undefined> => {
  const token = recallToken(room);
  try {
    const url = new URL(`rooms/${encodeURIComponent(room)}/inside`, document.baseURI);
    const answer = await request.send(url, { headers: token ? { authorization: `Bearer ${token}` } : {} }, patience);
    const text = await request.text(answer);
    return answer?.ok ? fetchOccupancy(JSON.parse(text)) : undefined;
  } catch {
    return undefined;
  }
};

/** What of it has the right shape, and no more than is shown. */
export const fetchOccupancy = (told: unknown): Inside => {
  const { peers, names } = Object(told);
  const texts = Array.isArray(names) ? names.filter((name): name is string => typeof name === 'string') : [];
  return {
    ...(Number.isSafeInteger(peers) && { peers: Math.max(0, Math.min(peers, mostPeers)) }),
    ...(texts.length > 0 && { names: texts.slice(0, mostNames).map((name) => name.slice(0, longestName)) }),
  };
};

/** Undefined where there is nothing to say. */
export const occupancySentence = ({ peers, names = [] }: Inside): string | undefined => {
  const { lobby } = words;
  if (peers === undefined) return undefined;
  if (peers === 0) return lobby.empty;
  const everyone = [...names, ...Array<string>(Math.max(0, peers - names.length)).fill(words.someone)];
  return names.length > 0 && peers <= mostNames ? lobby.names(list(everyone)) : lobby.inside(peers);
};
