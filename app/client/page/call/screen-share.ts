/** Sharing a screen: its picture takes the place of the camera's, and its sound is mixed with the voice. */
import { Emitter } from '../../events.ts';

type State = { is: 'off' } | { is: 'asking' } | { is: 'on'; stream: MediaStream; mixer: Mixer | undefined };
/** `take` puts another voice into the mixture. */
type Mixer = { track: MediaStreamTrack; take(voice: MediaStreamTrack | null): void; close(): void };

export const canShare = (): boolean => typeof navigator.mediaDevices?.getDisplayMedia === 'function';

export class ScreenShare {
  #state: State = { is: 'off' };
  #emitter = new Emitter<{ changed: undefined }>();

  onChange(listener: () => void): () => void {
    return this.#emitter.on('changed', listener);
  }

  /** What is shared. null = nothing. */
  get stream(): MediaStream | null {
    return this.#state.is === 'on' ? this.#state.stream : null;
  }

  /** Lets the person choose what to share. @throws what getDisplayMedia throws, but not when they chose nothing */
  async start(): Promise<void> {
    if (this.#state.is !== 'off') return;
    this.#become({ is: 'asking' });
    try {
      const stream = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { max: 15 } }, audio: true });
      this.#own(stream);
    } catch (error) {
      this.#become({ is: 'off' });
      if (!(error instanceof Error && error.name === 'NotAllowedError')) throw error;
    }
  }

  stop(): void {
    if (this.#state.is !== 'on') return;
    for (const track of this.#state.stream.getTracks()) track.stop();
    this.#state.mixer?.close();
    this.#become({ is: 'off' });
  }

  /** What is sent while the screen is shared: its picture, and the voice with its sound, where it has one. */
  with(voice: MediaStreamTrack | null): MediaStream | null {
    if (this.#state.is !== 'on') return null;
    const { stream, mixer } = this.#state;
    mixer?.take(voice);
    const sound = mixer?.track ?? voice;
    return new MediaStream([...stream.getVideoTracks(), ...(sound ? [sound] : [])]);
  }

  #own(stream: MediaStream): void {
    const [picture] = stream.getVideoTracks();
    if (picture) {
      // Text has to stay sharp, whatever that costs in motion.
      picture.contentHint = 'detail';
      picture.onended = () => this.stop();
    }
    this.#become({ is: 'on', stream, mixer: stream.getAudioTracks().length > 0 ? mix(stream) : undefined });
  }

  #become(state: State): void {
    this.#state = state;
    this.#emitter.emit('changed', undefined);
  }
}

const mix = (stream: MediaStream): Mixer => {
  const context = new AudioContext();
  const mixture = context.createMediaStreamDestination();
  context.createMediaStreamSource(stream).connect(mixture);
  let voice: { track: MediaStreamTrack; node: AudioNode } | undefined;
  return {
    track: mixture.stream.getAudioTracks()[0] as MediaStreamTrack,
    take: (track) => {
      if (voice?.track === track) return;
      voice?.node.disconnect();
      voice = track ? { track, node: context.createMediaStreamSource(new MediaStream([track])) } : undefined;
      voice?.node.connect(mixture);
    },
    close: () => void context.close(),
  };
};
