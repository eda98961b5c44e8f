/** Whether there is a supervisor, and what about processes and where they listen cannot be. */
import type { Settings } from '../config/schema.ts';
import { type ListenEndpoint, planEndpoints } from './bind-plan.ts';

/** Settings that only a supervisor can fulfil. */
const needsMaster = (settings: Settings): string[] => {
  const limits = ['max-worker-lifetime', 'reload-on-rss', 'evil-reload-on-rss', 'loop-harakiri'] as const;
  return [
    ...(settings.processes > 1 ? ['processes'] : []),
    ...(settings['control-socket'] === undefined ? [] : ['control-socket']),
    ...(settings['touch-reload'].length > 0 ? ['touch-reload'] : []),
    ...limits.filter((name) => settings[name] > 0),
  ];
};

/** There is a supervisor when it is wanted, and, unless it is unwanted, when something needs it. */
export const wantsMaster = (settings: Settings): boolean => settings.master ?? needsMaster(settings).length > 0;

/** What is impossible together about processes and where they listen. */
export const impossibleToRun = (settings: Settings, passed: ListenEndpoint[] = []): string[] => {
  const plan = planEndpoints(settings, passed);
  const needed = needsMaster(settings);
  return [
    ...('faults' in plan ? plan.faults : []),
    ...(settings.master === false && needed.length > 0
      ? [`--master false: ${needed.join(', ')} cannot be without a supervisor; leave master out`]
      : []),
  ];
};
