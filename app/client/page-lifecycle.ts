/** What happens around a room: its page goes away, or wakes up, and the device changes its network. */

/** The part of a room that is concerned. */
type Wakeable = { leave(mayReturn: boolean): void; checkConnection(): void; networkChanged(): void };

/** A page that goes away says so; one that wakes up, or finds its network again, does not wait for a timer. */
export const watchPageLifecycle = (room: Wakeable): (() => void) => {
  if (typeof window === 'undefined') return () => {};
  const stop = new AbortController();
  const { signal } = stop;
  window.addEventListener('pagehide', () => room.leave(true), { signal });
  window.addEventListener('online', () => room.networkChanged(), { signal });
  listenToNetwork(room, signal);
  document.addEventListener('visibilitychange', () => document.hidden || room.checkConnection(), { signal });
  return () => stop.abort();
};

/** Tells of another kind of network, such as Wi-Fi after cellular, not of each new guess at its speed. */
const listenToNetwork = (room: Wakeable, signal: AbortSignal): void => {
  // Not in Firefox and Safari. https://wicg.github.io/netinfo/
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
