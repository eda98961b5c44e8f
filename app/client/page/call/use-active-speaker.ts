/** Who speaks in a call of three or more; between two, both know. */
import { useEffect, useState } from 'preact/hooks';
import { heard, speakerOf } from '../devices/sound.ts';
import type { CallModel } from './call-model.ts';

const interval = 250;
/** A pause for breath does not end a turn. */
const breath = 5;

export const useActiveSpeaker = (conversation: CallModel): string | undefined => {
  const [speaker, setSpeaker] = useState<string>();
  const worthwhile = conversation.peers.length > 1;
  useEffect(() => {
    if (!worthwhile) return;
    let current: string | undefined;
    let silent = 0;
    const timer = setInterval(() => {
      // A browser knows the last volume of one who is muted for some seconds more.
      const audible = conversation.peers.filter(({ media }) => media.audio);
      const levels = new Map(audible.map(({ id }) => [id, heard(conversation.volume(id))]));
      const next = speakerOf(levels, current);
      silent = next === undefined ? silent + 1 : 0;
      if (next === undefined && silent < breath) return;
      current = next;
      setSpeaker(next);
    }, interval);
    return () => {
      clearInterval(timer);
      setSpeaker(undefined);
    };
  }, [worthwhile, conversation]);
  return speaker;
};
