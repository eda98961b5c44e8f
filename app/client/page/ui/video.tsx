/** A video element that shows a stream. */
import { useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import type { Devices } from '../devices/devices.ts';

type VideoProps = {
  stream: MediaStream | null;
  label: string;
  /** One's own picture, which nobody takes out of the page. */
  own?: boolean;
  /** The device that plays the sound; '' = the system's. */
  speaker?: string;
  /** The browser wants a gesture before it plays sound. `play` tries again. */
  onBlocked?: (play: () => void) => void;
};

export const Video = ({ stream, label, own = false, speaker = '', onBlocked }: VideoProps) => {
  const element = useRef<HTMLVideoElement>(null);
  // At once: an effect would wait until the rest of the page is drawn.
  useLayoutEffect(() => {
    const video = element.current;
    if (!video || video.srcObject === stream) return;
    video.srcObject = stream;
    if (!stream) return;
    video.play().catch((error: unknown) => {
      // Any other failure is a stream that was replaced before it could begin.
      if (error instanceof Error && error.name === 'NotAllowedError')
        onBlocked?.(() => void video.play().catch(() => {}));
    });
  }, [stream]);
  useEffect(() => {
    const video = element.current;
    // A speaker that was unplugged leaves the sound where the system plays it.
    if (video && 'setSinkId' in video && video.sinkId !== speaker) void video.setSinkId(speaker).catch(() => {});
  }, [speaker]);
  return <video ref={element} aria-label={label} muted={own} autoPlay playsInline disablePictureInPicture={own} />;
};

/** One's own picture alone: who hears themselves, howls, and what is only muted a browser plays all the same, to nobody. */
export const OwnVideo = ({ devices, label }: { devices: Devices; label: string }) => {
  const camera = devices.state('camera');
  const track = 'track' in camera ? camera.track : undefined;
  const picture = useMemo(() => (track ? new MediaStream([track]) : null), [track]);
  return <Video stream={picture} label={label} own />;
};
