/** What this side sends and shows of itself: devices, screen, raised hand, and what hosts ask of them. */
import type { MediaKind, Room } from '../../room.ts';
import type { DeviceState, Devices, Kind } from '../devices/devices.ts';
import { problemOf } from '../i18n/error-messages.ts';
import { words } from '../i18n/i18n.ts';
import { nameOf } from './announcements.ts';
import { ScreenShare } from './screen-share.ts';

/** What a host, called `name`, asks to be turned off. */
export type HostRequest = { name: string; kind: MediaKind };

type OwnSetup = { room: Room; devices: Devices; say: (text: string) => void; changed: () => void };

const deviceOf = { audio: 'microphone', video: 'camera' } as const;

export class LocalParticipant {
  readonly devices: Devices;
  readonly screen = new ScreenShare();
  #setup: OwnSetup;
  #hand = false;
  #asked: HostRequest | undefined;
  #shown: Record<Kind, DeviceState>;
  #deaf: (() => void)[];

  constructor(setup: OwnSetup) {
    const { devices, say, room } = setup;
    this.#setup = setup;
    this.devices = devices;
    this.#shown = { camera: devices.state('camera'), microphone: devices.state('microphone') };
    this.#deaf = [
      devices.onChange(() => this.#devicesChanged()),
      devices.onReplaced((label) => say(words.devices.replaced(label))),
      this.screen.onChange(() => this.#send()),
      room.on('mute-request', ({ from, kind }) => this.#ask(from, kind)),
    ];
  }

  get hand(): boolean {
    return this.#hand;
  }

  get asked(): HostRequest | undefined {
    return this.#asked;
  }

  raiseHand(hand: boolean): void {
    this.#hand = hand;
    void this.#setup.room.update({ hand });
    this.#setup.changed();
  }

  /** What the room remembers of a hand that was raised before. */
  setHand(hand: boolean): void {
    this.#hand = hand;
  }

  async shareScreen(): Promise<void> {
    if (this.screen.stream) return this.screen.stop();
    await this.screen.start().catch(() => this.#setup.say(words.screen.failed));
  }

  /** Does what a host asked for, or does not. */
  answer(comply: boolean): void {
    const kind = this.#asked?.kind;
    this.#asked = undefined;
    if (comply && kind === 'screen') this.screen.stop();
    if (comply && kind && kind !== 'screen') this.devices.turnOff(deviceOf[kind]);
    this.#setup.changed();
  }

  close(): void {
    for (const stop of this.#deaf) stop();
    this.screen.stop();
  }

  #ask(from: string, kind: MediaKind): void {
    const isOn = kind === 'screen' ? this.screen.stream !== null : this.devices.state(deviceOf[kind]).is === 'on';
    const peer = this.#setup.room.peers.find(({ id }) => id === from);
    if (isOn) this.#asked = { name: peer ? nameOf(peer) : words.people.host, kind };
    this.#setup.changed();
  }

  #devicesChanged(): void {
    this.#send();
    for (const kind of ['camera', 'microphone'] as const) {
      const state = this.devices.state(kind);
      if (state === this.#shown[kind]) continue;
      this.#shown[kind] = state;
      if (state.is === 'failed') this.#setup.say(problemOf(kind, state.problem));
    }
  }

  #send(): void {
    const { room, changed } = this.#setup;
    const microphone = this.devices.state('microphone');
    const shared = this.screen.with('track' in microphone ? microphone.track : null);
    if (shared) room.setMedia(shared, { audio: microphone.is === 'on', video: true, screen: true });
    else room.setMedia(this.devices.stream);
    changed();
  }
}
