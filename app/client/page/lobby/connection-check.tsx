/** The connection check: each part of a call with a plain verdict, and what to do about it. */
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

type Shown = Finding | 'off';
type Part = keyof typeof check.parts;

type ConnectionCheckProps = { room: string; devices: Devices; close: () => void };

export const ConnectionCheck = ({ room, devices, close }: ConnectionCheckProps) => {
  const [findings, setFindings] = useState(unchecked);
  const [round, setRound] = useState(0);
  useEffect(() => {
    let current = true;
    setFindings(unchecked);
    void checkConnectivity(room, (way, finding) => current && setFindings((others) => ({ ...others, [way]: finding })));
    return () => {
      current = false;
    };
  }, [room, round]);
  const running = networkPaths.some((way) => findings[way] === 'running');
  return (
    <Dialog title={check.title} close={close}>
      <ul class="findings" data-done={!running}>
        {(['camera', 'microphone'] as const).map((kind) => (
          <Result key={kind} part={kind} finding={findingOf(devices.state(kind))} />
        ))}
        {networkPaths.map((way) => (
          <Result key={way} part={way} finding={findings[way]} />
        ))}
      </ul>
      <p class="verdict" role="status">
        {running ? check.running : textOfVerdict(verdictOf(findings as Findings))}
      </p>
      <div class="choices">
        <button type="button" class="button" aria-disabled={running} onClick={() => !running && setRound(round + 1)}>
          {check.again}
        </button>
      </div>
    </Dialog>
  );
};

const textOfVerdict = (verdict: Verdict): string => (verdict === 'site' ? check.site : check.verdict[verdict]);

const Result = ({ part, finding }: { part: Part; finding: Shown }) => (
  <li class="finding" data-finding={finding} data-part={part}>
    <span class="finding-part">{check.parts[part]}</span>
    <span class="finding-text">{textOf(part, finding)}</span>
  </li>
);

const textOf = (part: Part, finding: Shown): string => (finding === 'bad' ? check.bad[part] : check[finding]);

const findingOf = ({ is }: DeviceState): Shown => {
  if (is === 'asking') return 'running';
  if (is === 'failed') return 'bad';
  return is === 'off' ? 'off' : 'good';
};
