/** The local participant: devices, screen, raised hand, and mute requests from hosts. */
import type { MediaKind, Room } from '../../room.ts';
import type { DeviceKind, DeviceState, Devices } from '../devices/devices.ts';
import { entryOf } from '../i18n/entry-of.ts';
import { problemOf } from '../i18n/error-messages.ts';
import { words } from '../i18n/i18n.ts';
import { nameOf } from './announcements.ts';
import { ScreenShare } from './screen-share.ts';

/** A request of the host `name` to turn off `kind`. */
export type HostRequest = { name: string; kind: MediaKind };

type LocalParticipantOptions = { room: Room; devices: Devices; announce: (text: string) => void; changed: () => void };

const deviceOf = { audio: 'microphone', video: 'camera' } as const;

export class LocalParticipant {
  readonly devices: Devices;
  readonly screen = new ScreenShare();
  #setup: LocalParticipantOptions;
  #hand = false;
  #muteRequest: HostRequest | undefined;
  #lastStates: Record<DeviceKind, DeviceState>;
  #unsubscribers: (() => void)[];

  constructor(setup: LocalParticipantOptions) {
    const { devices, announce, room } = setup;
    this.#setup = setup;
    this.devices = devices;
    this.#lastStates = { camera: devices.state('camera'), microphone: devices.state('microphone') };
    this.#unsubscribers = [
      devices.onChange(() => this.#devicesChanged()),
      devices.onReplaced((label) => announce(words.devices.replaced(label))),
      this.screen.onChange(() => this.#updateMedia()),
      room.on('mute-request', ({ from, kind }) => this.#muteRequested(from, kind)),
    ];
  }

  get hand(): boolean {
    return this.#hand;
  }

  get muteRequest(): HostRequest | undefined {
    return this.#muteRequest;
  }

  raiseHand(hand: boolean): void {
    this.#hand = hand;
    void this.#setup.room.update({ hand });
    this.#setup.changed();
  }

  /** Adopts the state of the hand that the room kept. */
  setHand(hand: boolean): void {
    this.#hand = hand;
  }

  async shareScreen(): Promise<void> {
    if (this.screen.stream) return this.screen.stop();
    await this.screen.start().catch(() => this.#setup.announce(words.screen.failed));
  }

  /** Complies with the mute request, or declines it. */
  answer(comply: boolean): void {
    const kind = this.#muteRequest?.kind;
    this.#muteRequest = undefined;
    if (comply && kind === 'screen') this.screen.stop();
    if (comply && kind && kind !== 'screen') this.devices.turnOff(deviceOf[kind]);
    this.#setup.changed();
  }

  close(): void {
    for (const unsubscribe of this.#unsubscribers) unsubscribe();
    this.screen.stop();
  }

  #muteRequested(from: string, kind: MediaKind): void {
    const device = entryOf<DeviceKind>(deviceOf, kind);
    // Of a kind that this page does not know, nothing is on.
    const isOn = kind === 'screen' ? this.screen.stream !== null : device && this.devices.state(device).state === 'on';
    const peer = this.#setup.room.peers.find(({ id }) => id === from);
    if (isOn) this.#muteRequest = { name: peer ? nameOf(peer) : words.people.host, kind };
    this.#setup.changed();
  }

  #devicesChanged(): void {
    this.#updateMedia();
    for (const kind of ['camera', 'microphone'] as const) {
      const state = this.devices.state(kind);
      if (state === this.#lastStates[kind]) continue;
      this.#lastStates[kind] = state;
      if (state.state === 'failed') this.#setup.announce(problemOf(kind, state.problem));
    }
  }

  #updateMedia(): void {
    const { room, changed } = this.#setup;
    const microphone = this.devices.state('microphone');
    const shared = this.screen.with('track' in microphone ? microphone.track : null);
    if (shared) room.setMedia(shared, { audio: microphone.state === 'on', video: true, screen: true });
    else room.setMedia(this.devices.stream);
    changed();
  }
}
