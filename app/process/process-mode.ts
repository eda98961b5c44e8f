/** Whether there is a supervisor, and which settings of processes and listeners are impossible together. */
import type { Settings } from '../config/schema.ts';
import { type ListenEndpoint, planEndpoints } from './bind-plan.ts';

/** Settings in use that require a supervisor. */
const needsMaster = (settings: Settings): string[] => {
  const limits = ['max-worker-lifetime', 'reload-on-rss', 'evil-reload-on-rss', 'loop-harakiri'] as const;
  return [
    ...(settings.processes > 1 ? ['processes'] : []),
    ...(settings['control-socket'] === undefined ? [] : ['control-socket']),
    ...(settings['touch-reload'].length > 0 ? ['touch-reload'] : []),
    ...limits.filter((name) => settings[name] > 0),
  ];
};

/** `master` decides; when it is not set, there is a supervisor if another setting needs one. */
export const wantsMaster = (settings: Settings): boolean => settings.master ?? needsMaster(settings).length > 0;

/** Conflicts between the settings of processes and listeners. */
export const impossibleToRun = (settings: Settings, passed: ListenEndpoint[] = []): string[] => {
  const plan = planEndpoints(settings, passed);
  const needed = needsMaster(settings);
  return [
    ...('faults' in plan ? plan.faults : []),
    ...(settings.master === false && needed.length > 0
      ? [`--master false: ${needed.join(', ')} cannot work without a supervisor; remove master`]
      : []),
  ];
};
