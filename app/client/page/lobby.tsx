/** Before the call: how one looks, what one is called, which devices are used. */
import { useState } from 'preact/hooks';
import type { Devices, Kind } from './devices.ts';
import { useChanges, useFirstFocus, useTitle } from './hooks.ts';
import { recall, remember } from './memory.ts';
import { DeviceProblems, Switches } from './switches.tsx';
import { Video } from './video.tsx';
import { words } from './words.ts';

const { lobby } = words;

type LobbyProps = { room: string; devices: Devices; join: (name: string) => void };

export const Lobby = ({ room, devices, join }: LobbyProps) => {
  useChanges(devices);
  useTitle(`${room} – ${words.product}`);
  const heading = useFirstFocus<HTMLHeadingElement>();
  return (
    <main class="card lobby">
      <div class="lobby-parts">
        <div class="lobby-head">
          <p class="brand">{lobby.room(room)}</p>
          <h1 ref={heading} tabIndex={-1}>
            {lobby.title}
          </h1>
        </div>
        <Preview devices={devices} />
        {canCall() ? <Entry devices={devices} join={join} /> : <p class="problem">{lobby.tooOld}</p>}
      </div>
    </main>
  );
};

const Preview = ({ devices }: { devices: Devices }) => {
  const camera = devices.state('camera').is;
  return (
    <div class="preview">
      <div class="tile own" data-self data-video={camera === 'on'}>
        {camera !== 'on' && <p class="preview-text">{camera === 'asking' ? lobby.previewAsking : lobby.previewOff}</p>}
        <Video stream={devices.stream} label={lobby.preview} own />
      </div>
      <div class="preview-controls">
        <Switches devices={devices} />
      </div>
      <DeviceProblems devices={devices} />
    </div>
  );
};

const Entry = ({ devices, join }: { devices: Devices; join: (name: string) => void }) => {
  const [name, setName] = useState(() => recall('name'));
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
        maxLength={64}
        autoComplete="name"
        aria-describedby="name-hint"
        value={name}
        onInput={({ currentTarget }) => setName(currentTarget.value)}
      />
      <p id="name-hint" class="hint">
        {lobby.nameHint}
      </p>
      <div class="pickers">
        <Picker kind="camera" devices={devices} />
        <Picker kind="microphone" devices={devices} />
      </div>
      <button type="submit" class="button primary wide">
        {lobby.join}
      </button>
      {devices.stream === null && devices.state('camera').is !== 'asking' && <p class="hint">{lobby.withoutMedia}</p>}
    </form>
  );
};

/** A choice among devices, where there is one. */
const Picker = ({ kind, devices }: { kind: Kind; devices: Devices }) => {
  const choices = devices.choices(kind);
  if (choices.length === 0) return null;
  const chosen = devices.chosen(kind);
  return (
    <div>
      <label class="field-label" for={`${kind}-picker`}>
        {lobby[kind]}
      </label>
      <select
        id={`${kind}-picker`}
        class="field"
        onChange={({ currentTarget }) => void devices.choose(kind, currentTarget.value)}
      >
        {choices.map(({ id, label }, index) => (
          <option key={id} value={id} selected={id === chosen}>
            {label || `${lobby[kind]} ${index + 1}`}
          </option>
        ))}
      </select>
    </div>
  );
};

const canCall = (): boolean =>
  typeof RTCPeerConnection === 'function' && 'addTransceiver' in RTCPeerConnection.prototype && 'WebSocket' in window;
