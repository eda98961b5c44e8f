/** The buttons for microphone and camera, the same in the lobby and in the call. */

import { shortcuts } from '../call/shortcuts.ts';
import { problemOf } from '../i18n/error-messages.ts';
import { words } from '../i18n/i18n.ts';
import { browserOf } from '../ui/browser.ts';
import { Icon } from '../ui/icons.tsx';
import type { DeviceKind, DeviceState, Devices } from './devices.ts';

/** `withKeys`: shortcuts are available. */
export const MediaToggles = ({ devices, withKeys = false }: { devices: Devices; withKeys?: boolean }) => (
  <>
    <Toggle kind="microphone" devices={devices} withKeys={withKeys} />
    <Toggle kind="camera" devices={devices} withKeys={withKeys} />
  </>
);

const Toggle = ({ kind, devices, withKeys }: { kind: DeviceKind; devices: Devices; withKeys: boolean }) => {
  const text = words.call[kind];
  const key = withKeys ? shortcuts[kind] : undefined;
  const press = ({ detail, currentTarget }: MouseEvent) => {
    void devices.toggle(kind);
    // After a click the space bar may be used for push-to-talk, which must not press the button again.
    if (withKeys && detail > 0) (currentTarget as HTMLElement).blur();
  };
  const state = devices.state(kind);
  const on = state.state === 'on';
  return (
    <button
      type="button"
      class="control"
      title={key ? `${text} (${key})` : text}
      aria-keyshortcuts={key}
      aria-pressed={on}
      aria-busy={state.state === 'asking'}
      onClick={press}
    >
      <Icon name={on ? kind : `${kind}-off`} />
      <span class="control-label">{text}</span>
    </button>
  );
};

/** Why a requested device is not on, if so. */
export const DeviceProblems = ({ devices }: { devices: Devices }) => (
  <div class="problems" role="status">
    {problemSentences(devices.state('camera'), devices.state('microphone')).map((text) => (
      <p key={text}>{text}</p>
    ))}
  </div>
);

const browser = browserOf(navigator.userAgent);

const problemSentences = (camera: DeviceState, microphone: DeviceState): string[] => {
  const both = camera.state === 'failed' && microphone.state === 'failed' && camera.problem === microphone.problem;
  if (both) return [problemOf('both', camera.problem, browser)];
  return [
    ...(camera.state === 'failed' ? [problemOf('camera', camera.problem, browser)] : []),
    ...(microphone.state === 'failed' ? [problemOf('microphone', microphone.problem, browser)] : []),
  ];
};
