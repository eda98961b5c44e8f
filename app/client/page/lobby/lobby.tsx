/** The lobby before a call: preview, name, devices and connection check. */
import { useState } from 'preact/hooks';
import { DevicePickers } from '../devices/device-pickers.tsx';
import type { Devices } from '../devices/devices.ts';
import { words } from '../i18n/i18n.ts';
import { LanguageChoice } from '../i18n/language-choice.tsx';
import { recall, remember } from '../storage.ts';
import { Dialog } from '../ui/dialog.tsx';
import { useChanges, useFirstFocus, useTitle } from '../ui/hooks.ts';
import { Lazy, Outdated } from '../ui/lazy.tsx';
import { loadCallChunk } from './load-call-chunk.ts';
import { Preview } from './preview.tsx';
import { occupancySentence, useOccupancy } from './use-occupancy.ts';

const { lobby } = words;

type LobbyProps = { room: string; devices: Devices; join: (name: string) => void };

export const Lobby = ({ room, devices, join }: LobbyProps) => {
  useChanges(devices);
  useTitle(`${room} – ${words.product}`);
  const heading = useFirstFocus<HTMLHeadingElement>();
  const occupancy = useOccupancy(room);
  return (
    <main class="card lobby">
      <div class="lobby-parts">
        <div class="lobby-head">
          <p class="brand">{lobby.room(room)}</p>
          <h1 ref={heading} tabIndex={-1}>
            {lobby.title}
          </h1>
          <p class="inside" role="status">
            {occupancy && occupancySentence(occupancy)}
          </p>
        </div>
        <Preview devices={devices} />
        {canCall() ? <JoinForm room={room} devices={devices} join={join} /> : <p class="problem">{lobby.tooOld}</p>}
      </div>
      <LanguageChoice />
    </main>
  );
};

const JoinForm = ({ room, devices, join }: LobbyProps) => {
  const [name, setName] = useState(() => recall('name'));
  const [checking, setChecking] = useState(false);
  const close = () => setChecking(false);
  const submit = (event: Event) => {
    event.preventDefault();
    remember('name', name.trim());
    join(name.trim());
  };
  return (
    <form class="entry" onSubmit={submit}>
      <label class="field-label" for="name">
        {lobby.name}
      </label>
      <input
        id="name"
        class="field"
        dir="auto"
        maxLength={64}
        autoComplete="name"
        aria-describedby="name-hint"
        value={name}
        onInput={({ currentTarget }) => setName(currentTarget.value)}
      />
      <p id="name-hint" class="hint">
        {lobby.nameHint}
      </p>
      <button type="submit" class="button primary wide">
        {lobby.join}
      </button>
      {devices.stream === null && devices.state('camera').state !== 'asking' && (
        <p class="hint">{lobby.withoutMedia}</p>
      )}
      <DevicePickers devices={devices} />
      <button type="button" class="button wide quiet-button" onClick={() => setChecking(true)}>
        {lobby.check}
      </button>
      {checking && (
        <Lazy
          fetch={async () => (await loadCallChunk()).ConnectionCheck}
          props={{ room, devices, close }}
          fallback={
            <Dialog title={words.outdated.title} close={close}>
              <Outdated />
            </Dialog>
          }
        />
      )}
    </form>
  );
};

const canCall = (): boolean =>
  typeof RTCPeerConnection === 'function' && 'addTransceiver' in RTCPeerConnection.prototype && 'WebSocket' in window;
