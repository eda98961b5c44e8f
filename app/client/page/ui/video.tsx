/** A video element that shows a stream. */
import { useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import type { Devices } from '../devices/devices.ts';

type VideoProps = {
  stream: MediaStream | null;
  label: string;
  /** The local camera: muted, and without picture-in-picture. */
  local?: boolean;
  /** Id of the audio output device; '' = the system's default. */
  speaker?: string;
  /** The browser blocks sound until a user gesture. `play` retries. */
  onBlocked?: (play: () => void) => void;
};

export const Video = ({ stream, label, local = false, speaker = '', onBlocked }: VideoProps) => {
  const element = useRef<HTMLVideoElement>(null);
  // A layout effect: an effect would wait until the rest of the page is painted.
  useLayoutEffect(() => {
    const video = element.current;
    if (!video || video.srcObject === stream) return;
    video.srcObject = stream;
    if (!stream) return;
    video.play().catch((error: unknown) => {
      // Any other error means that the stream was replaced before it started.
      if (error instanceof Error && error.name === 'NotAllowedError')
        onBlocked?.(() => void video.play().catch(() => {}));
    });
  }, [stream]);
  useEffect(() => {
    const video = element.current;
    // If the speaker was unplugged, sound stays on the system's default.
    if (video && 'setSinkId' in video && video.sinkId !== speaker) void video.setSinkId(speaker).catch(() => {});
  }, [speaker]);
  return <video ref={element} aria-label={label} muted={local} autoPlay playsInline disablePictureInPicture={local} />;
};

/** The local camera without audio: it would cause feedback, and a browser plays even a muted track. */
export const OwnVideo = ({ devices, label }: { devices: Devices; label: string }) => {
  const camera = devices.state('camera');
  const track = 'track' in camera ? camera.track : undefined;
  const picture = useMemo(() => (track ? new MediaStream([track]) : null), [track]);
  return <Video stream={picture} label={label} local />;
};
