/** Settings that are valid individually but conflict with each other. */
import { type Address, showAddress } from './address.ts';
import type { SettingName, Settings } from './schema.ts';

/** The source of a setting, or of its nth value. */
export type Where = (name: string, index?: number) => string;

/** All conflicts, each with the sources of its settings. */
export const findConflicts = (settings: Settings, where: Where): string[] => [
  ...sameAddress(listenersOf(settings), where),
  ...tooSmall(settings, where),
  ...missingKeys(settings, where),
  ...incompleteTurn(settings, where),
  ...unusedStoreSettings(settings, where),
];

/** `host`: what `:port` stands for. */
type ConfiguredListener = { name: SettingName; index: number; address: Address; host: string };

const listenersOf = (settings: Settings): ConfiguredListener[] => {
  const of = (name: 'http' | 'http-socket' | 'socket' | 'stats' | 'stats-http', host: string): ConfiguredListener[] =>
    settings[name].map((address, index) => ({ name, index, address, host }));
  const control = settings['control-socket'];
  return [
    ...of('http', '::'),
    ...(['http-socket', 'socket', 'stats', 'stats-http'] as const).flatMap((name) => of(name, '127.0.0.1')),
    ...(control === undefined
      ? []
      : [{ name: 'control-socket', index: 0, address: { kind: 'unix', path: control }, host: '' } as const]),
  ];
};

const sameAddress = (listeners: ConfiguredListener[], where: Where): string[] =>
  listeners.flatMap((one, at) => {
    const before = listeners.slice(0, at).find((other) => collide(one, other));
    if (!before) return [];
    return [
      `${where(one.name, one.index)}: ${showAddress(one.address)} is already used by ${where(before.name, before.index)}`,
    ];
  });

const collide = (one: ConfiguredListener, other: ConfiguredListener): boolean => {
  const [a, b] = [one.address, other.address];
  if (a.kind === 'unix') return b.kind === 'unix' && a.path === b.path;
  if (a.kind === 'fd') return b.kind === 'fd' && a.fd === b.fd;
  // Port 0 means any free port.
  if (b.kind !== 'tcp' || a.port !== b.port || a.port === 0) return false;
  const hosts = [a.host ?? one.host, b.host ?? other.host];
  if (hosts[0] === hosts[1] || hosts.includes('::')) return true;
  // 0.0.0.0 covers every IPv4 address, but no IPv6 address.
  return hosts.includes('0.0.0.0') && !hosts.some((host) => host.includes(':'));
};

const tooSmall = (settings: Settings, where: Where): string[] => {
  const message = settings['max-message-bytes'];
  const soft = settings['reload-on-rss'];
  const hard = settings['evil-reload-on-rss'];
  const faults: string[] = [];
  if (settings['max-unsent-bytes'] < message)
    faults.push(
      `${where('max-unsent-bytes')}: must be at least the size of one message (${where('max-message-bytes')})`,
    );
  if (settings['limit-post'] < message)
    faults.push(`${where('limit-post')}: must be at least the size of one message (${where('max-message-bytes')})`);
  if (settings['byte-burst'] < message)
    faults.push(`${where('byte-burst')}: must be at least the size of one message (${where('max-message-bytes')})`);
  if (hard > 0 && hard <= soft)
    faults.push(
      `${where('evil-reload-on-rss')}: must be more than ${where('reload-on-rss')}, or no worker ever drains`,
    );
  return faults;
};

const missingKeys = (settings: Settings, where: Where): string[] => {
  const hasKeys = settings['token-secret'].length + settings['token-key'].length > 0 || settings['token-jwks-url'];
  return settings.auth === 'open' || hasKeys
    ? []
    : [`${where('auth')}: token requires a key: token-secret, token-key or token-jwks-url`];
};

const incompleteTurn = (settings: Settings, where: Where): string[] => {
  const [urls, secret] = [settings['turn-url'].length > 0, settings['turn-secret'] !== undefined];
  if (urls && !secret)
    return [`${where('turn-url')}: requires turn-secret, from which credentials for browsers are made`];
  if (secret && !urls) return [`${where('turn-secret')}: has no effect without turn-url`];
  return [];
};

const unusedStoreSettings = (settings: Settings, where: Where): string[] => {
  const useless = [
    ...(settings['store-password'] === undefined ? [] : (['store-password'] as const)),
    ...(settings['store-cluster'] ? (['store-cluster'] as const) : []),
  ];
  const isLocal = settings.store === 'memory' || settings.store === 'embedded';
  return [
    ...(isLocal ? useless : []).map((name) => `${where(name)}: has no effect unless store is a URL`),
    ...(settings['state-dir'] !== undefined && settings.store !== 'embedded'
      ? [`${where('state-dir')}: has no effect unless store is embedded`]
      : []),
  ];
};
