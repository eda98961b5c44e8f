/** Screen sharing: the screen replaces the camera, and its audio is mixed with the microphone. */
import { Emitter } from '../../events.ts';
import { mediaBounds } from '../../remote-media.ts';

type ScreenShareState =
  | { state: 'off' }
  | { state: 'asking' }
  | { state: 'on'; stream: MediaStream; mixer: Mixer | undefined };
/** `setVoice` replaces the microphone track in the mix. */
type Mixer = { track: MediaStreamTrack; setVoice(voice: MediaStreamTrack | null): void; close(): void };

const video = { frameRate: { max: 15 } };
/** For screens that are larger than what other peers accept. Otherwise not asked for: Chromium then chooses a size of its own. */
const smallerVideo = { ...video, width: { max: 4_096 }, height: { max: 4_096 } };

export const canShare = (): boolean => typeof navigator.mediaDevices?.getDisplayMedia === 'function';

export class ScreenShare {
  #state: ScreenShareState = { state: 'off' };
  #emitter = new Emitter<{ changed: undefined }>();

  onChange(listener: () => void): () => void {
    return this.#emitter.on('changed', listener);
  }

  /** The shared stream. null = none. */
  get stream(): MediaStream | null {
    return this.#state.state === 'on' ? this.#state.stream : null;
  }

  /** Opens the browser's picker. @throws what getDisplayMedia throws, except when the user cancels, or after stop() */
  async start(): Promise<void> {
    if (this.#state.state !== 'off') return;
    const request: ScreenShareState = { state: 'asking' };
    this.#become(request);
    try {
      const stream = await navigator.mediaDevices.getDisplayMedia({ video, audio: true });
      await limitSize(stream.getVideoTracks());
      if (this.#isCurrent(request)) this.#started(stream);
      else stopTracks(stream);
    } catch (error) {
      if (!this.#isCurrent(request)) return;
      this.#become({ state: 'off' });
      if (!(error instanceof Error && error.name === 'NotAllowedError')) throw error;
    }
  }

  /** Also while the picker is open: what is picked then is stopped at once. */
  stop(): void {
    if (this.#state.state === 'off') return;
    if (this.#state.state === 'on') {
      stopTracks(this.#state.stream);
      this.#state.mixer?.close();
    }
    this.#become({ state: 'off' });
  }

  /** The stream to send while sharing: the screen, and the voice mixed with any screen audio. null = not sharing. */
  with(voice: MediaStreamTrack | null): MediaStream | null {
    if (this.#state.state !== 'on') return null;
    const { stream, mixer } = this.#state;
    mixer?.setVoice(voice);
    const audio = mixer?.track ?? voice;
    return new MediaStream([...stream.getVideoTracks(), ...(audio ? [audio] : [])]);
  }

  #started(stream: MediaStream): void {
    const [video] = stream.getVideoTracks();
    if (video) {
      // Keeps text sharp, at the cost of motion.
      video.contentHint = 'detail';
      video.onended = () => this.stop();
    }
    this.#become({ state: 'on', stream, mixer: stream.getAudioTracks().length > 0 ? mix(stream) : undefined });
  }

  #isCurrent(state: ScreenShareState): boolean {
    return this.#state === state;
  }

  #become(state: ScreenShareState): void {
    this.#state = state;
    this.#emitter.emit('changed', undefined);
  }
}

const stopTracks = (stream: MediaStream): void => {
  for (const track of stream.getTracks()) track.stop();
};

const mix = (stream: MediaStream): Mixer => {
  const context = new AudioContext();
  const output = context.createMediaStreamDestination();
  context.createMediaStreamSource(stream).connect(output);
  let voice: { track: MediaStreamTrack; node: AudioNode } | undefined;
  return {
    track: output.stream.getAudioTracks()[0] as MediaStreamTrack,
    setVoice: (track) => {
      if (voice?.track === track) return;
      voice?.node.disconnect();
      voice = track ? { track, node: context.createMediaStreamSource(new MediaStream([track])) } : undefined;
      voice?.node.connect(output);
    },
    close: () => void context.close(),
  };
};

const limitSize = async (tracks: MediaStreamTrack[]): Promise<void> => {
  for (const track of tracks) {
    const { width = 0, height = 0 } = track.getSettings();
    // A browser that cannot scale it shares it as it is.
    if (width * height > mediaBounds.pixels) await track.applyConstraints(smallerVideo).catch(() => {});
  }
};
