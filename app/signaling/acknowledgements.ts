/** Sessions with an acknowledgement to send. Batching saves one frame for each message. */

type Session = { flushAck(): void };

export const acknowledgements = {
  due: new Set<Session>(),
  add(session: Session, delay: number): void {
    this.due.add(session);
    if (this.due.size === 1) setTimeout(() => this.flush(), delay);
  },
  flush(): void {
    const due = [...this.due];
    this.due.clear();
    for (const session of due) session.flushAck();
  },
};
