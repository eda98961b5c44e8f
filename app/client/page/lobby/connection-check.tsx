/** The connection check: a result for each part of a call, and what to do about it. */
import { useEffect, useState } from 'preact/hooks';
import type { DeviceState, Devices } from '../devices/devices.ts';
import { words } from '../i18n/i18n.ts';
import { Dialog } from '../ui/dialog.tsx';
import {
  checkConnectivity,
  type Finding,
  type Findings,
  networkPaths,
  unchecked,
  type Verdict,
  verdictOf,
} from './connectivity-check.ts';

const { check } = words;

type PartState = Finding | 'off';
type PartName = keyof typeof check.parts;

type ConnectionCheckProps = { room: string; devices: Devices; close: () => void };

export const ConnectionCheck = ({ room, devices, close }: ConnectionCheckProps) => {
  const [findings, setFindings] = useState(unchecked);
  const [run, setRun] = useState(0);
  useEffect(() => {
    let active = true;
    setFindings(unchecked);
    void checkConnectivity(
      room,
      (path, finding) => active && setFindings((previous) => ({ ...previous, [path]: finding })),
    );
    return () => {
      active = false;
    };
  }, [room, run]);
  const running = networkPaths.some((path) => findings[path] === 'running');
  return (
    <Dialog title={check.title} close={close}>
      <ul class="findings" data-done={!running}>
        {(['camera', 'microphone'] as const).map((kind) => (
          <Result key={kind} part={kind} finding={findingOf(devices.state(kind))} />
        ))}
        {networkPaths.map((path) => (
          <Result key={path} part={path} finding={findings[path]} />
        ))}
      </ul>
      <p class="verdict" role="status">
        {running ? check.running : textOfVerdict(verdictOf(findings as Findings))}
      </p>
      <div class="choices">
        <button type="button" class="button" aria-disabled={running} onClick={() => !running && setRun(run + 1)}>
          {check.again}
        </button>
      </div>
    </Dialog>
  );
};

const textOfVerdict = (verdict: Verdict): string => (verdict === 'site' ? check.site : check.verdict[verdict]);

const Result = ({ part, finding }: { part: PartName; finding: PartState }) => (
  <li class="finding" data-finding={finding} data-part={part}>
    <span class="finding-part">{check.parts[part]}</span>
    <span class="finding-text">{textOf(part, finding)}</span>
  </li>
);

const textOf = (part: PartName, finding: PartState): string => (finding === 'bad' ? check.bad[part] : check[finding]);

const findingOf = ({ state }: DeviceState): PartState => {
  if (state === 'asking') return 'running';
  if (state === 'failed') return 'bad';
  return state === 'off' ? 'off' : 'good';
};
