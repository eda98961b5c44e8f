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
      // For some seconds, browsers still report the last volume of a muted peer.
      const audible = model.peers.filter(({ media }) => media.audio);
      const levels = new Map(audible.map(({ id }) => [id, heard(model.volume(id))]));
      const next = speakerOf(levels, current);
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
