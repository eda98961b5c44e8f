/** Page and network events that affect a room: the page unloads or becomes visible, and the device changes networks. */

type LifecycleTarget = { leave(mayReturn: boolean): void; checkConnection(): void; networkChanged(): void };

/** Leaves when the page unloads, and checks the connection immediately when it becomes visible or the network changes. */
export const watchPageLifecycle = (room: LifecycleTarget): (() => void) => {
  if (typeof window === 'undefined') return () => {};
  const controller = new AbortController();
  const { signal } = controller;
  window.addEventListener('pagehide', () => room.leave(true), { signal });
  window.addEventListener('online', () => room.networkChanged(), { signal });
  listenToNetwork(room, signal);
  document.addEventListener('visibilitychange', () => document.hidden || room.checkConnection(), { signal });
  return () => controller.abort();
};

/** Reports a change of network type, such as cellular to Wi-Fi, but not each new speed estimate. */
const listenToNetwork = (room: LifecycleTarget, signal: AbortSignal): void => {
  // Not available in Firefox and Safari. https://wicg.github.io/netinfo/
  const { connection } = navigator as { connection?: EventTarget & { type?: string } };
  let type = connection?.type;
  connection?.addEventListener(
    'change',
    () => {
      if (connection.type !== type) room.networkChanged();
      type = connection.type;
    },
    { signal },
  );
};
