/** A uwsgi request as an http.IncomingMessage, filled from variables where node:http fills it from its parser. */
import { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { RequestHead } from './vars.ts';

export class UwsgiRequest extends IncomingMessage {
  /** How node:http's parser sets the headers; `headers` is made from them when somebody asks. */
  declare _addHeaderLines: (rawHeaders: string[], count: number) => void;

  constructor(socket: Socket, head: RequestHead) {
    super(socket);
    this.method = head.method;
    this.url = head.url;
    this.httpVersion = head.httpVersion;
    this.httpVersionMajor = Number(head.httpVersion.charAt(0));
    this.httpVersionMinor = Number(head.httpVersion.charAt(2));
    this._addHeaderLines(head.rawHeaders, head.rawHeaders.length);
  }

  /** The body is whole. */
  endBody(): void {
    this.complete = true;
    if (!this.destroyed) this.push(null);
  }

  /** As node:http does when the connection goes away: 'aborted', 'error' if somebody listens for it, 'close'. */
  abort(): void {
    if (!this.destroyed) this.destroy(Object.assign(new Error('aborted'), { code: 'ECONNRESET' }));
  }

  /** Nobody has begun to read the body. */
  get untouched(): boolean {
    return this.readableFlowing === null;
  }

  /** Somebody listens for what only reading brings about. */
  get awaited(): boolean {
    return this.listenerCount('close') > 0 || this.listenerCount('end') > 0;
  }
}
