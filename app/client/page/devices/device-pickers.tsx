/** Pickers for camera, microphone and speaker, with a level meter and a speaker test. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { number } from '../i18n/format.ts';
import { words } from '../i18n/i18n.ts';
import type { DeviceKind, Devices } from './devices.ts';
import { listenTo, playNotes } from './sound.ts';

export const DevicePickers = ({ devices }: { devices: Devices }) => (
  <div class="pickers">
    <div>
      <Picker kind="camera" devices={devices} />
    </div>
    <div>
      <Picker kind="microphone" devices={devices} />
      <Level devices={devices} />
    </div>
    <div>
      <Picker kind="speaker" devices={devices} />
      <SpeakerTest speaker={devices.speaker} />
    </div>
  </div>
);

/** Hidden where there is nothing to choose from; shown disabled while the browser asks, to avoid a layout shift. */
const Picker = ({ kind, devices }: { kind: DeviceKind | 'speaker'; devices: Devices }) => {
  const choices = devices.choices(kind);
  const label = words.devices[kind];
  if (kind === 'speaker' && !('setSinkId' in HTMLMediaElement.prototype)) return null;
  if (choices.length === 0 && devices.listed) return null;
  const chosen = kind === 'speaker' ? devices.speaker : devices.chosen(kind);
  const choose = (id: string) => {
    if (kind === 'speaker') devices.chooseSpeaker(id);
    else void devices.choose(kind, id);
  };
  return (
    <>
      <label class="field-label" for={`${kind}-picker`}>
        {label}
      </label>
      <select
        id={`${kind}-picker`}
        class="field"
        disabled={choices.length === 0}
        onChange={({ currentTarget }) => choose(currentTarget.value)}
      >
        {choices.map(({ id, label: name }, index) => (
          <option key={id} value={id} selected={id === chosen}>
            {name || `${label} ${number(index + 1)}`}
          </option>
        ))}
      </select>
    </>
  );
};

/** The live level of the microphone. */
const Level = ({ devices }: { devices: Devices }) => {
  const meter = useRef<HTMLMeterElement>(null);
  const state = devices.state('microphone');
  const track = state.state === 'on' ? state.track : undefined;
  useEffect(() => {
    if (!track) return;
    const source = listenTo(new MediaStream([track]));
    const timer = setInterval(() => {
      if (meter.current) meter.current.value = source.level();
    }, 100);
    return () => {
      clearInterval(timer);
      source.close();
    };
  }, [track]);
  if (!track && devices.listed) return null;
  return <meter ref={meter} class="level" min={0} max={1} value={0} aria-label={words.devices.level} />;
};

const SpeakerTest = ({ speaker }: { speaker: string }) => {
  const [playing, setPlaying] = useState(false);
  const play = async () => {
    setPlaying(true);
    await playNotes(speaker).catch(() => {});
    setPlaying(false);
  };
  return (
    <button
      type="button"
      class="button small quiet-button"
      aria-disabled={playing}
      onClick={() => !playing && void play()}
    >
      {playing ? words.devices.testing : words.devices.test}
    </button>
  );
};
