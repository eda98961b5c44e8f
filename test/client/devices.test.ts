/** The local devices: requests that overtake each other, and those that the browser grants after close(). */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ScreenShare } from '../../app/client/page/call/screen-share.ts';
import { type DeviceKind, Devices } from '../../app/client/page/devices/devices.ts';
import { settled } from './fake-clock.ts';

type Constraints = Partial<Record<'audio' | 'video', false | { deviceId?: { ideal: string } }>>;

class FakeTrack {
  onended: (() => void) | null = null;
  enabled = true;
  readyState = 'live';
  size = { width: 1280, height: 720 };
  readonly constraints: object[] = [];
  readonly kind: string;
  readonly label: string;

  applyConstraints = async (constraints: object) => void this.constraints.push(constraints);

  constructor(kind: string, label: string) {
    this.kind = kind;
    this.label = label;
  }

  getSettings = () => ({ deviceId: this.label, ...this.size });
  stop(): void {
    this.readyState = 'ended';
  }

  /** As if it were unplugged. */
  lose(): void {
    this.stop();
    this.onended?.();
  }
}

class FakeStream {
  #tracks: FakeTrack[];
  constructor(tracks: FakeTrack[]) {
    this.#tracks = tracks;
  }
  getTracks = () => this.#tracks;
  getVideoTracks = () => this.#tracks.filter(({ kind }) => kind === 'video');
  getAudioTracks = () => this.#tracks.filter(({ kind }) => kind === 'audio');
}

/** A browser that asks the user, whom the test answers for. */
class FakeMediaDevices extends EventTarget {
  requests: { grant: () => Promise<void>; refuse: (name: string) => Promise<void> }[] = [];
  tracks: FakeTrack[] = [];
  known = ['a', 'b', 'c'].flatMap((deviceId) =>
    ['videoinput', 'audioinput'].map((kind) => ({ deviceId, kind, label: deviceId })),
  );

  getUserMedia = ({ audio, video }: Constraints) =>
    this.#request([audio && new FakeTrack('audio', idOf(audio)), video && new FakeTrack('video', idOf(video))]);
  screenSize = { width: 1280, height: 720 };
  getDisplayMedia = () => this.#request([new FakeTrack('video', 'screen')]);
  enumerateDevices = async () => this.known;

  #request(wanted: (FakeTrack | false | undefined)[]): Promise<FakeStream> {
    return new Promise((resolve, reject) => {
      this.requests.push({
        grant: () => {
          const tracks = wanted.filter((track) => track instanceof FakeTrack);
          for (const track of tracks) if (track.label === 'screen') track.size = this.screenSize;
          this.tracks.push(...tracks);
          resolve(new FakeStream(tracks));
          return settled();
        },
        refuse: (name) => {
          reject(Object.assign(new Error(), { name }));
          return settled();
        },
      });
    });
  }

  /** The number of open devices. */
  get live(): number {
    return this.tracks.filter(({ readyState }) => readyState === 'live').length;
  }

  request = (nth: number) => this.requests[nth] ?? expect.fail(`no request ${nth}`);
}

const idOf = ({ deviceId }: { deviceId?: { ideal: string } }) => deviceId?.ideal ?? 'default';

describe('the devices', () => {
  let browser: FakeMediaDevices;
  beforeEach(() => {
    browser = new FakeMediaDevices();
    vi.stubGlobal('navigator', {
      mediaDevices: browser,
      permissions: { query: async () => ({ state: 'granted' }) },
    });
    vi.stubGlobal('MediaStream', FakeStream);
    vi.stubGlobal('isSecureContext', true);
  });
  afterEach(() => vi.unstubAllGlobals());

  const on = async (...wanted: DeviceKind[]) => {
    const devices = new Devices();
    void devices.start(wanted);
    await browser.request(0).grant();
    return devices;
  };
  const stateOf = (devices: Devices, kind: DeviceKind) => {
    const state = devices.state(kind);
    return [state.state, 'track' in state ? state.track.label : undefined];
  };

  describe('after close()', () => {
    it('stop what is granted only then', async () => {
      const devices = new Devices();
      void devices.start();
      devices.close();
      await browser.request(0).grant();
      expect([browser.tracks.length, browser.live]).toEqual([2, 0]);
    });

    it('are not requested one by one when a request for both is refused', async () => {
      const devices = new Devices();
      void devices.start();
      devices.close();
      await browser.request(0).refuse('NotReadableError');
      expect([devices.state('camera').state, browser.requests.length]).toEqual(['off', 1]);
    });

    it('the second of them is not requested either', async () => {
      const devices = new Devices();
      void devices.start();
      await browser.request(0).refuse('NotAllowedError');
      devices.close();
      await browser.request(1).refuse('NotReadableError');
      expect([devices.state('microphone').state, browser.requests.length]).toEqual(['off', 2]);
    });

    it('are not replaced when one was lost before', async () => {
      const devices = await on('camera');
      browser.tracks[0]?.lose();
      devices.close();
      await settled();
      expect([devices.state('camera').state, browser.requests.length]).toEqual(['off', 1]);
    });

    it('are not requested', async () => {
      const devices = await on('camera');
      devices.close();
      await Promise.all([devices.start(), devices.toggle('camera'), devices.choose('camera', 'b')]);
      expect([devices.stream, browser.requests.length, browser.live]).toEqual([null, 1, 0]);
    });
  });

  describe('chosen while another is requested', () => {
    it.each([
      [0, 1],
      [1, 0],
    ])('end with the last choice, whichever is granted first (%i, %i)', async (first, second) => {
      const devices = await on('camera');
      void devices.choose('camera', 'a');
      void devices.choose('camera', 'b');
      for (const nth of [first, second]) await browser.request(1 + nth).grant();
      expect([stateOf(devices, 'camera'), browser.live]).toEqual([['on', 'b'], 1]);
    });

    it('are not failed by the refusal of the choice before', async () => {
      const devices = await on('camera');
      void devices.choose('camera', 'a');
      void devices.choose('camera', 'b');
      await browser.request(1).refuse('NotReadableError');
      await browser.request(2).grant();
      expect(stateOf(devices, 'camera')).toEqual(['on', 'b']);
    });

    it('remain muted, and are never unmuted in between', async () => {
      const devices = await on('microphone');
      await devices.toggle('microphone');
      const states = new Set<string>();
      devices.onChange(() => states.add(devices.state('microphone').state));
      void devices.choose('microphone', 'a');
      void devices.choose('microphone', 'b');
      for (const nth of [1, 2]) await browser.request(nth).grant();
      expect(stateOf(devices, 'microphone')).toEqual(['muted', 'b']);
      expect([browser.tracks.at(-1)?.enabled, states.has('on')]).toEqual([false, false]);
    });
  });

  it('that are turned off while they are requested stay off', async () => {
    const devices = new Devices();
    void devices.start();
    devices.turnOff('microphone');
    await browser.request(0).grant();
    expect([stateOf(devices, 'microphone')[0], stateOf(devices, 'camera')[0], browser.live]).toEqual(['off', 'on', 1]);
  });

  it('that are unplugged are replaced, muted if they were', async () => {
    const devices = await on('microphone');
    const labels: string[] = [];
    devices.onReplaced((label) => labels.push(label));
    await devices.toggle('microphone');
    browser.tracks[0]?.lose();
    await settled();
    await browser.request(1).grant();
    expect([stateOf(devices, 'microphone'), labels]).toEqual([['muted', 'default'], ['default']]);
    browser.tracks[1]?.lose();
    await settled();
    await browser.request(2).refuse('NotFoundError');
    expect(devices.state('microphone')).toEqual({ state: 'failed', problem: 'gone' });
  });

  it('of which one fails are requested one by one', async () => {
    const devices = new Devices();
    void devices.start();
    await browser.request(0).refuse('NotReadableError');
    await browser.request(1).grant();
    await browser.request(2).refuse('NotReadableError');
    expect([stateOf(devices, 'microphone')[0], devices.state('camera')]).toEqual([
      'on',
      { state: 'failed', problem: 'busy' },
    ]);
  });

  it('a screen that is picked after the call has ended is stopped', async () => {
    const screen = new ScreenShare();
    void screen.start();
    screen.stop();
    await browser.request(0).grant();
    expect([screen.stream, browser.tracks.length, browser.live]).toEqual([null, 1, 0]);
    void screen.start();
    await browser.request(1).grant();
    expect([screen.stream === null, browser.live]).toEqual([false, 1]);
    screen.stop();
    expect(browser.live).toBe(0);
  });

  it.each([
    [{ width: 4096, height: 4096 }, 0],
    [{ width: 6016, height: 3384 }, 1],
  ])('of a screen of %o is scaled down only if other peers would refuse it', async (size, scaled) => {
    const screen = new ScreenShare();
    void screen.start();
    browser.screenSize = size;
    await browser.request(0).grant();
    const [track] = browser.tracks;
    expect(track?.constraints).toEqual(
      Array(scaled).fill(expect.objectContaining({ width: { max: 4096 }, height: { max: 4096 } })),
    );
    expect(screen.stream).not.toBeNull();
    screen.stop();
  });
});
