/** The local camera and microphone: capture, toggling, selection and loss. */
import { Emitter } from '../../events.ts';
import { recall, remember } from '../storage.ts';

export type DeviceKind = 'camera' | 'microphone';
export type MediaProblem = 'denied' | 'missing' | 'busy' | 'gone' | 'insecure' | 'unsupported' | 'broken';
/**
 * `asking`: a capture is requested; with `muted` it will be muted. `muted`: captured, but sending silence; microphones only. A camera that
 * is off is released, so that its light goes out.
 */
export type DeviceState =
  | { state: 'off' }
  | { state: 'asking'; muted?: boolean }
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
  #closed = false;
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
    const { request, error } = await this.#capture(wanted);
    // One of the two may still work. After a denial, do not prompt again.
    for (const kind of error === undefined ? [] : wanted) {
      const isDenied = problemOf(error) === 'denied' && !(await isGranted(kind));
      if (this.#state[kind] !== request) continue;
      if (isDenied) this.#failed(kind, error);
      else await this.#startOne(kind);
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

  /** From on to off or muted; what is still requested is off, and stopped if it is granted later. */
  turnOff(kind: DeviceKind): void {
    const { state } = this.#state[kind];
    if (state === 'on') void this.toggle(kind);
    if (state === 'asking') this.#release(kind);
  }

  /** Uses this device from now on. */
  async choose(kind: DeviceKind, id: string): Promise<void> {
    this.#chosen[kind] = id;
    remember(kind, id);
    const state = this.#state[kind];
    if (state.state === 'off' || state.state === 'failed') return;
    const muted = isMuted(state);
    this.#release(kind);
    await this.#startOne(kind, muted);
  }

  /** Releases all devices, for good: what the browser grants later is stopped at once. */
  close(): void {
    this.#closed = true;
    this.#stopListening();
    for (const kind of kinds) this.#release(kind);
  }

  async #startOne(kind: DeviceKind, muted = false): Promise<void> {
    const { request, error } = await this.#capture([kind], muted);
    if (error !== undefined && this.#state[kind] === request) this.#failed(kind, error);
  }

  /**
   * Requests these devices; what is granted is used only if no other request, release or choice has followed.
   * @returns the state of the devices while they are requested, and the error if they were refused
   */
  async #capture(wanted: readonly DeviceKind[], muted = false): Promise<{ request: DeviceState; error?: unknown }> {
    const request: DeviceState = { state: 'asking', muted };
    if (this.#closed || wanted.length === 0) return { request };
    for (const kind of wanted) this.#setState(kind, request);
    try {
      const stream = await capture(wanted, this.#chosen);
      for (const track of stream.getTracks()) this.#granted(track, request);
      return { request };
    } catch (error) {
      return { request, error };
    }
  }

  #granted(track: MediaStreamTrack, request: DeviceState): void {
    const kind: DeviceKind = track.kind === 'video' ? 'camera' : 'microphone';
    if (this.#state[kind] !== request) return track.stop();
    // `ended` means an unplugged device or a revoked permission; stop() does not fire it.
    track.onended = () => void this.#lost(kind);
    track.enabled = !isMuted(request);
    this.#setState(kind, { state: track.enabled ? 'on' : 'muted', track });
  }

  /** Switches to another device of the kind, if there is one. */
  async #lost(kind: DeviceKind): Promise<void> {
    const muted = isMuted(this.#state[kind]);
    const gone: DeviceState = { state: 'failed', problem: 'gone' };
    this.#setState(kind, gone);
    await this.#list();
    if (this.#state[kind] !== gone || this.choices(kind).length === 0) return;
    const { request, error } = await this.#capture([kind], muted);
    if (error !== undefined && this.#state[kind] === request) this.#setState(kind, gone);
    const now = this.state(kind);
    if ('track' in now) this.#emitter.emit('replaced', now.track.label);
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

const isMuted = (state: DeviceState): boolean =>
  state.state === 'muted' || (state.state === 'asking' && state.muted === true);

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
