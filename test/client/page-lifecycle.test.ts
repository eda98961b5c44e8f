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

let told: string[];
let stop: () => void;
beforeEach(() => {
  Object.assign(network, { type: 'wifi' });
  vi.stubGlobal('window', view);
  vi.stubGlobal('document', sheet);
  vi.stubGlobal('navigator', { connection: network });
  told = [];
  stop = watchPageLifecycle({
    leave: (mayReturn) => told.push(`leave ${mayReturn}`),
    checkConnection: () => told.push('checkConnection'),
    networkChanged: () => told.push('network'),
  });
});
afterEach(() => {
  stop();
  vi.unstubAllGlobals();
});

it('a page that goes may return, one that wakes up looks at once', () => {
  visibility('hidden');
  visibility('visible');
  view.dispatchEvent(new Event('pagehide'));
  expect(told).toEqual(['checkConnection', 'leave true']);
});

it('another network is one that is there again or of another kind, not another guess at its speed', () => {
  kind('wifi');
  kind('cellular');
  kind('cellular');
  view.dispatchEvent(new Event('online'));
  expect(told).toEqual(['network', 'network']);
});

it('nothing is heard after the end', () => {
  stop();
  kind('none');
  visibility('visible');
  for (const type of ['online', 'pagehide']) view.dispatchEvent(new Event(type));
  expect(told).toEqual([]);
});

it('browsers without the kind of network, and programs without a page, do without', () => {
  vi.stubGlobal('navigator', {});
  watchPageLifecycle({ leave: () => {}, checkConnection: () => {}, networkChanged: () => {} })();
  vi.stubGlobal('window', undefined);
  watchPageLifecycle({ leave: () => {}, checkConnection: () => {}, networkChanged: () => {} })();
});
