/** Listen addresses in uWSGI's notation: `host:port`, `:port`, `/path`, `unix:/path`, `fd:N`. */

/** Without a host: every interface, or only the loopback, depending on the listener. */
export type Address =
  | { kind: 'tcp'; host?: string; port: number }
  | { kind: 'unix'; path: string }
  | { kind: 'fd'; fd: number };

/** Undefined when the text is not an address. IPv6 hosts are in brackets: `[::1]:3031`. */
export const parseAddress = (text: string): Address | undefined => {
  if (text.startsWith('/')) return { kind: 'unix', path: text };
  if (text.startsWith('unix:/')) return { kind: 'unix', path: text.slice('unix:'.length) };
  const fd = /^fd:(\d{1,6})$/.exec(text)?.[1];
  if (fd !== undefined) return { kind: 'fd', fd: Number(fd) };
  const [, bracketed, plain, digits] = /^(?:\[([\da-fA-F:.]+)\]|([^\s:/[\]]*)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65_535) return undefined;
  const host = bracketed ?? plain;
  return host ? { kind: 'tcp', host, port } : { kind: 'tcp', port };
};

export const showAddress = (address: Address): string => {
  switch (address.kind) {
    case 'tcp':
      return `${address.host?.includes(':') ? `[${address.host}]` : (address.host ?? '')}:${address.port}`;
    case 'unix':
      return address.path;
    case 'fd':
      return `fd:${address.fd}`;
  }
};
