/** The buttons for microphone and camera, the same in the lobby and in the call. */
import type { DeviceState, Devices, Kind } from './devices.ts';
import { Icon } from './icons.tsx';
import { words } from './words.ts';

export const Switches = ({ devices }: { devices: Devices }) => (
  <>
    <Switch kind="microphone" devices={devices} />
    <Switch kind="camera" devices={devices} />
  </>
);

const Switch = ({ kind, devices }: { kind: Kind; devices: Devices }) => {
  const state = devices.state(kind);
  const on = state.is === 'on';
  return (
    <button
      type="button"
      class="control"
      title={words.call[kind]}
      aria-pressed={on}
      aria-busy={state.is === 'asking'}
      onClick={() => void devices.toggle(kind)}
    >
      <Icon name={on ? kind : `${kind}-off`} />
      <span class="control-label">{words.call[kind]}</span>
    </button>
  );
};

/** Why something that was asked for is not on, if so. */
export const DeviceProblems = ({ devices }: { devices: Devices }) => (
  <div class="problems" role="status">
    {problemSentences(devices.state('camera'), devices.state('microphone')).map((text) => (
      <p key={text}>{text}</p>
    ))}
  </div>
);

const problemSentences = (camera: DeviceState, microphone: DeviceState): string[] => {
  const both = camera.is === 'failed' && microphone.is === 'failed' && camera.problem === microphone.problem;
  if (both) return [words.problem('both', camera.problem)];
  return [
    ...(camera.is === 'failed' ? [words.problem('camera', camera.problem)] : []),
    ...(microphone.is === 'failed' ? [words.problem('microphone', microphone.problem)] : []),
  ];
};
