/** The active speaker in a call of three or more; with two it is obvious. */
import { useEffect, useState } from 'preact/hooks';
import { heard, speakerOf } from '../devices/sound.ts';
import type { CallModel } from './call-model.ts';

const interval = 250;
/** Silent intervals until nobody is the speaker, so that a short pause does not end a turn. */
const longestPause = 5;

export const useActiveSpeaker = (model: CallModel): string | undefined => {
  const [speaker, setSpeaker] = useState<string>();
  const enabled = model.peers.length > 1;
  useEffect(() => {
    if (!enabled) return;
    let current: string | undefined;
    let silent = 0;
    const timer = setInterval(() => {
      const next = speakerOf(levelsOf(model), current);
      silent = next === undefined ? silent + 1 : 0;
      if (next === undefined && silent < longestPause) return;
      current = next;
      setSpeaker(next);
    }, interval);
    return () => {
      clearInterval(timer);
      setSpeaker(undefined);
    };
  }, [enabled, model]);
  return speaker;
};

/** Everyone's level, whatever `media.audio` says: a peer that claims to be muted may send sound. */
export const levelsOf = (model: Pick<CallModel, 'peers' | 'volume'>): Map<string, number> =>
  new Map(model.peers.map(({ id }) => [id, heard(model.volume(id))]));
