import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { watchPageLifecycle } from '../../app/client/page-lifecycle.ts';

const [view, sheet, network] = [new EventTarget(), new EventTarget(), new EventTarget()];
const visibility = (state: string) => {
  Object.assign(sheet, { hidden: state === 'hidden' });
  sheet.dispatchEvent(new Event('visibilitychange'));
};
const kind = (type: string) => {
  Object.assign(network, { type });
  network.dispatchEvent(new Event('change'));
};

let calls: string[];
let stop: () => void;
beforeEach(() => {
  Object.assign(network, { type: 'wifi' });
  vi.stubGlobal('window', view);
  vi.stubGlobal('document', sheet);
  vi.stubGlobal('navigator', { connection: network });
  calls = [];
  stop = watchPageLifecycle({
    leave: (mayReturn) => calls.push(`leave ${mayReturn}`),
    checkConnection: () => calls.push('checkConnection'),
    networkChanged: () => calls.push('network'),
  });
});
afterEach(() => {
  stop();
  vi.unstubAllGlobals();
});

it('pagehide leaves with mayReturn, and a visible page checks its connection at once', () => {
  visibility('hidden');
  visibility('visible');
  view.dispatchEvent(new Event('pagehide'));
  expect(calls).toEqual(['checkConnection', 'leave true']);
});

it('the network changes when it is online again or of another type, not when its estimated speed changes', () => {
  kind('wifi');
  kind('cellular');
  kind('cellular');
  view.dispatchEvent(new Event('online'));
  expect(calls).toEqual(['network', 'network']);
});

it('no event is handled after the end', () => {
  stop();
  kind('none');
  visibility('visible');
  for (const type of ['online', 'pagehide']) view.dispatchEvent(new Event(type));
  expect(calls).toEqual([]);
});

it('missing browser APIs for network type, or for pages, are tolerated', () => {
  vi.stubGlobal('navigator', {});
  watchPageLifecycle({ leave: () => {}, checkConnection: () => {}, networkChanged: () => {} })();
  vi.stubGlobal('window', undefined);
  watchPageLifecycle({ leave: () => {}, checkConnection: () => {}, networkChanged: () => {} })();
});
