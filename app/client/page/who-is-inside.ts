/** Who is in a room that has not been entered, as far as the server tells. */
import { useEffect, useState } from 'preact/hooks';
import type { Inside } from '../../protocol/messages.ts';
import { list } from './format.ts';
import { recallToken } from './memory.ts';
import { words } from './words.ts';

const interval = 20_000;
/** With more it is a number. */
const mostNames = 6;

/** Asked now and again while somebody looks. Undefined = not known. */
export const useInside = (room: string): Inside | undefined => {
  const [inside, setInside] = useState<Inside>();
  useEffect(() => {
    const gone = new AbortController();
    const ask = async () => {
      if (document.hidden) return;
      const told = await askFor(room, gone.signal);
      if (!gone.signal.aborted) setInside(told);
    };
    void ask();
    const timer = setInterval(ask, interval);
    return () => {
      gone.abort();
      clearInterval(timer);
    };
  }, [room]);
  return inside;
};

const askFor = async (room: string, signal: AbortSignal): Promise<Inside | undefined> => {
  const token = recallToken(room);
  try {
    const url = new URL(`rooms/${encodeURIComponent(room)}/inside`, document.baseURI);
    const answer = await fetch(url, { signal, headers: token ? { authorization: `Bearer ${token}` } : {} });
    return answer.ok ? await answer.json() : undefined;
  } catch {
    return undefined;
  }
};

/** Undefined where there is nothing to say. */
export const sentenceOf = ({ peers, names = [] }: Inside): string | undefined => {
  const { lobby } = words;
  if (peers === undefined) return undefined;
  if (peers === 0) return lobby.empty;
  const everyone = [...names, ...Array<string>(Math.max(0, peers - names.length)).fill(words.someone)];
  return names.length > 0 && peers <= mostNames ? lobby.names(list(everyone)) : lobby.inside(peers);
};
