/** Who speaks in a call of three or more; between two, both know. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { RemotePeer } from '../genkan.ts';
import { type Ear, listenTo, speakerOf } from './sound.ts';

type Listening = { stream: MediaStream; ear: Ear };

const interval = 250;
/** A pause for breath does not end a turn. */
const breath = 5;

export const useSpeaker = (peers: readonly RemotePeer[]): string | undefined => {
  const [speaker, setSpeaker] = useState<string>();
  const latest = useRef(peers);
  latest.current = peers;
  const worthwhile = peers.length > 1;
  useEffect(() => {
    if (!worthwhile) return;
    const ears = new Map<string, Listening>();
    let current: string | undefined;
    let silent = 0;
    const timer = setInterval(() => {
      attune(ears, latest.current);
      const next = speakerOf(new Map([...ears].map(([id, { ear }]) => [id, ear.level()])), current);
      silent = next === undefined ? silent + 1 : 0;
      if (next === undefined && silent < breath) return;
      current = next;
      setSpeaker(next);
    }, interval);
    return () => {
      clearInterval(timer);
      for (const { ear } of ears.values()) ear.close();
      setSpeaker(undefined);
    };
  }, [worthwhile]);
  return speaker;
};

/** Listens to who is there and sends sound, and to nobody else. */
const attune = (ears: Map<string, Listening>, peers: readonly RemotePeer[]): void => {
  const audible = new Map(
    peers
      .filter(({ media, stream }) => media.audio && stream.getAudioTracks().length > 0)
      .map((peer) => [peer.id, peer]),
  );
  for (const [id, { stream, ear }] of ears) {
    if (audible.get(id)?.stream === stream) continue;
    ear.close();
    ears.delete(id);
  }
  for (const [id, { stream }] of audible) if (!ears.has(id)) ears.set(id, { stream, ear: listenTo(stream) });
};
