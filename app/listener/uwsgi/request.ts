/** A uwsgi request as an http.IncomingMessage, filled from uwsgi variables instead of by node:http's parser. */
import { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { addRawHeaders } from '../node-internals.ts';
import type { RequestHead } from './vars.ts';

export class UwsgiRequest extends IncomingMessage {
  constructor(socket: Socket, head: RequestHead) {
    super(socket);
    this.method = head.method;
    this.url = head.url;
    this.httpVersion = head.httpVersion;
    this.httpVersionMajor = Number(head.httpVersion.charAt(0));
    this.httpVersionMinor = Number(head.httpVersion.charAt(2));
    addRawHeaders(this, head.rawHeaders);
  }

  /** Marks the body as complete. */
  endBody(): void {
    this.complete = true;
    if (!this.destroyed) this.push(null);
  }

  /** As node:http does when the client disconnects: emits 'aborted', 'error' if there is one and it has a listener, and 'close'. */
  abort(error: Error | undefined): void {
    if (!this.destroyed) this.destroy(error);
  }

  /** No handler has started to read the body. */
  get untouched(): boolean {
    return this.readableFlowing === null;
  }

  /** There are listeners for events that are emitted only if the body is read. */
  get awaited(): boolean {
    return this.listenerCount('close') > 0 || this.listenerCount('end') > 0;
  }
}
