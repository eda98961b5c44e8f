/** The local camera and microphone: capture, toggling, selection and loss. */
import { Emitter } from '../../events.ts';
import { recall, remember } from '../storage.ts';

export type DeviceKind = 'camera' | 'microphone';
export type MediaProblem = 'denied' | 'missing' | 'busy' | 'gone' | 'insecure' | 'unsupported' | 'broken';
/** `muted`: captured, but sending silence; microphones only. A camera that is off is released, so that its light goes out. */
export type DeviceState =
  | { state: 'off' }
  | { state: 'asking' }
  | { state: 'on'; track: MediaStreamTrack }
  | { state: 'muted'; track: MediaStreamTrack }
  | { state: 'failed'; problem: MediaProblem };

export type DeviceOption = { id: string; label: string };

const deviceKinds = { camera: 'videoinput', microphone: 'audioinput', speaker: 'audiooutput' } as const;
const kinds: readonly DeviceKind[] = ['microphone', 'camera'];

export class Devices {
  #state: Record<DeviceKind, DeviceState> = { camera: { state: 'off' }, microphone: { state: 'off' } };
  #chosen: Record<DeviceKind, string> = { camera: recall('camera'), microphone: recall('microphone') };
  #known: MediaDeviceInfo[] | undefined;
  #stream: MediaStream | null = null;
  #speaker = recall('speaker');
  #emitter = new Emitter<{ changed: undefined; replaced: string }>();
  #stopListening = () => {};

  constructor() {
    if (typeof navigator.mediaDevices?.addEventListener !== 'function') return;
    const list = () => void this.#list();
    navigator.mediaDevices.addEventListener('devicechange', list);
    this.#stopListening = () => navigator.mediaDevices.removeEventListener('devicechange', list);
  }

  /** Calls `listener` after every change. Returns the function that removes it. */
  onChange(listener: () => void): () => void {
    return this.#emitter.on('changed', listener);
  }

  state(kind: DeviceKind): DeviceState {
    return this.#state[kind];
  }

  /** Whether the browser has listed its devices. */
  get listed(): boolean {
    return this.#known !== undefined;
  }

  /** The current tracks; a new object whenever they change. null = none. */
  get stream(): MediaStream | null {
    return this.#stream;
  }

  /** Calls `listener` with the label of a device that replaced an unplugged one. */
  onReplaced(listener: (label: string) => void): () => void {
    return this.#emitter.on('replaced', listener);
  }

  /** The devices to choose from; browsers reveal none without permission. */
  choices(kind: DeviceKind | 'speaker'): DeviceOption[] {
    return (this.#known ?? [])
      .filter((device) => device.kind === deviceKinds[kind] && device.deviceId !== '')
      .map(({ deviceId, label }) => ({ id: deviceId, label }));
  }

  /** Id of the audio output device; '' = the system's default. */
  get speaker(): string {
    return this.#speaker;
  }

  chooseSpeaker(id: string): void {
    this.#speaker = id;
    remember('speaker', id);
    this.#emitter.emit('changed', undefined);
  }

  chosen(kind: DeviceKind): string {
    const state = this.#state[kind];
    return ('track' in state && state.track.getSettings().deviceId) || this.#chosen[kind];
  }

  /** Turns these on, with a single permission prompt if the browser asks. */
  async start(wanted: readonly DeviceKind[] = kinds): Promise<void> {
    for (const kind of wanted) this.#setState(kind, { state: 'asking' });
    try {
      if (wanted.length > 0) this.#adopt(await capture(wanted, this.#chosen));
    } catch (error) {
      // One of the two may still work. After a denial, do not prompt again.
      for (const kind of wanted) {
        if (problemOf(error) === 'denied' && !(await isGranted(kind))) this.#failed(kind, error);
        else await this.#startOne(kind);
      }
    }
    await this.#list();
  }

  /** From on to off or muted, from any other state to on. */
  async toggle(kind: DeviceKind): Promise<void> {
    const state = this.#state[kind];
    if (state.state === 'asking') return;
    if (state.state === 'on') return kind === 'camera' ? this.#release(kind) : this.#enable(state.track, false);
    if (state.state === 'muted') return this.#enable(state.track, true);
    await this.#startOne(kind);
    await this.#list();
  }

  /** From on to off or muted; other states do not change. */
  turnOff(kind: DeviceKind): void {
    if (this.#state[kind].state === 'on') void this.toggle(kind);
  }

  /** Uses this device from now on. */
  async choose(kind: DeviceKind, id: string): Promise<void> {
    this.#chosen[kind] = id;
    remember(kind, id);
    const state = this.#state[kind];
    if (!('track' in state)) return;
    const muted = state.state === 'muted';
    this.#release(kind);
    await this.#startOne(kind);
    const now = this.#state[kind];
    if (muted && now.state === 'on') this.#enable(now.track, false);
  }

  /** Releases all devices. */
  close(): void {
    this.#stopListening();
    for (const kind of kinds) this.#release(kind);
  }

  async #startOne(kind: DeviceKind): Promise<void> {
    this.#setState(kind, { state: 'asking' });
    try {
      this.#adopt(await capture([kind], this.#chosen));
    } catch (error) {
      this.#failed(kind, error);
    }
  }

  #adopt(stream: MediaStream): void {
    for (const track of stream.getTracks()) {
      const kind: DeviceKind = track.kind === 'video' ? 'camera' : 'microphone';
      if (this.#state[kind].state === 'asking') this.#started(kind, track);
      else track.stop();
    }
  }

  #started(kind: DeviceKind, track: MediaStreamTrack): void {
    // `ended` means an unplugged device or a revoked permission; stop() does not fire it.
    track.onended = () => void this.#lost(kind);
    this.#setState(kind, { state: 'on', track });
  }

  /** Switches to another device of the kind, if there is one. */
  async #lost(kind: DeviceKind): Promise<void> {
    const muted = this.#state[kind].state === 'muted';
    this.#setState(kind, { state: 'failed', problem: 'gone' });
    await this.#list();
    if (this.choices(kind).length === 0) return;
    await this.#startOne(kind);
    const now = this.#state[kind];
    if (now.state !== 'on') return this.#setState(kind, { state: 'failed', problem: 'gone' });
    if (muted) this.#enable(now.track, false);
    this.#emitter.emit('replaced', now.track.label);
  }

  #enable(track: MediaStreamTrack, enabled: boolean): void {
    track.enabled = enabled;
    this.#setState('microphone', { state: enabled ? 'on' : 'muted', track });
  }

  #release(kind: DeviceKind): void {
    const state = this.#state[kind];
    if ('track' in state) {
      state.track.onended = null;
      state.track.stop();
    }
    this.#setState(kind, { state: 'off' });
  }

  #failed(kind: DeviceKind, error: unknown): void {
    this.#setState(kind, { state: 'failed', problem: problemOf(error) });
  }

  #setState(kind: DeviceKind, state: DeviceState): void {
    this.#state[kind] = state;
    const tracks = kinds.map((each) => this.#state[each]).flatMap((each) => ('track' in each ? [each.track] : []));
    if (!sameTracks(tracks, this.#stream)) this.#stream = tracks.length === 0 ? null : new MediaStream(tracks);
    this.#emitter.emit('changed', undefined);
  }

  async #list(): Promise<void> {
    this.#known = (await navigator.mediaDevices?.enumerateDevices().catch(() => [])) ?? [];
    this.#emitter.emit('changed', undefined);
  }
}

const sameTracks = (tracks: MediaStreamTrack[], stream: MediaStream | null): boolean =>
  tracks.length === (stream?.getTracks().length ?? 0) && tracks.every((track) => stream?.getTracks().includes(track));

const defaults: Record<DeviceKind, MediaTrackConstraints> = {
  // Every peer sends to every other: a low resolution makes full rooms possible.
  camera: { width: { ideal: 640 }, height: { ideal: 360 }, frameRate: { ideal: 24, max: 30 }, facingMode: 'user' },
  microphone: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
};

/** `ideal`, not `exact`: a missing device must not prevent joining. */
const constraints = (kind: DeviceKind, id: string): MediaTrackConstraints =>
  id === '' ? defaults[kind] : { ...defaults[kind], deviceId: { ideal: id } };

const capture = (wanted: readonly DeviceKind[], chosen: Record<DeviceKind, string>): Promise<MediaStream> =>
  navigator.mediaDevices.getUserMedia({
    audio: wanted.includes('microphone') && constraints('microphone', chosen.microphone),
    video: wanted.includes('camera') && constraints('camera', chosen.camera),
  });

const isGranted = async (kind: DeviceKind): Promise<boolean> => {
  try {
    return (await navigator.permissions.query({ name: kind as PermissionName })).state === 'granted';
  } catch {
    // Not every browser supports these names.
    return false;
  }
};

const problems: Record<string, MediaProblem> = {
  NotAllowedError: 'denied',
  SecurityError: 'denied',
  NotFoundError: 'missing',
  OverconstrainedError: 'missing',
  NotReadableError: 'busy',
  AbortError: 'busy',
};

const problemOf = (error: unknown): MediaProblem => {
  if (!isSecureContext) return 'insecure';
  if (navigator.mediaDevices?.getUserMedia === undefined) return 'unsupported';
  return (error instanceof Error && problems[error.name]) || 'broken';
};
