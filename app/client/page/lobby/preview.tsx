/** The local camera before the call, with its toggles and device problems. */
import type { Devices } from '../devices/devices.ts';
import { DeviceProblems, MediaToggles } from '../devices/media-toggles.tsx';
import { words } from '../i18n/i18n.ts';
import { OwnVideo } from '../ui/video.tsx';

const { lobby } = words;

export const Preview = ({ devices }: { devices: Devices }) => {
  const camera = devices.state('camera').state;
  return (
    <div class="preview">
      <div class="tile own" data-self data-video={camera === 'on'}>
        {camera !== 'on' && <p class="preview-text">{camera === 'asking' ? lobby.previewAsking : lobby.previewOff}</p>}
        <OwnVideo devices={devices} label={lobby.preview} />
      </div>
      <div class="preview-controls">
        <MediaToggles devices={devices} />
      </div>
      <DeviceProblems devices={devices} />
    </div>
  );
};
