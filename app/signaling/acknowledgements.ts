/** Sessions with an acknowledgement to send. Batching saves one frame for each message. */

type Session = { flushAck(): void };

/** ms until an acknowledgement is tried again whose messages could not be stored. */
const retryDelay = 250;

export const acknowledgements = {
  due: new Set<Session>(),
  add(session: Session, delay: number): void {
    this.due.add(session);
    if (this.due.size === 1) setTimeout(() => this.flush(), delay);
  },
  retry(session: Session): void {
    this.add(session, retryDelay);
  },
  flush(): void {
    const due = [...this.due];
    this.due.clear();
    for (const session of due) session.flushAck();
  },
};
