/** The budget of bytes that all rooms of a process keep: who uses how much of it, and whose logs are trimmed first. */

/** `total`: bytes of all rooms. `share`: bytes of the rooms that one network (IPv4 address, IPv6 /48) opened. */
export type KeptLimits = { total: number; share: number };

/** A room in the account: `bytes` it keeps now. */
export type KeptRoom = { readonly owner: string; bytes: number };

/** The part of a limit that is used after trimming, so that not every event that follows trims again. */
const target = 0.9;

export class KeptBytes<Room extends KeptRoom> {
  #total = 0;
  /** The total when trimming freed nothing more: it is not tried again for every event. */
  #stuckAt = Number.NEGATIVE_INFINITY;
  readonly #owners = new Map<string, { bytes: number; rooms: Set<Room> }>();
  readonly #limits: KeptLimits;

  constructor(limits: KeptLimits) {
    this.#limits = limits;
  }

  get total(): number {
    return this.#total;
  }

  /** Sets what a room keeps now; 0 for a room that is no longer there. */
  set(room: Room, bytes: number): void {
    const owner = this.#owners.get(room.owner) ?? { bytes: 0, rooms: new Set<Room>() };
    const change = bytes - room.bytes;
    room.bytes = bytes;
    this.#total += change;
    owner.bytes += change;
    if (bytes > 0) {
      owner.rooms.add(room);
      this.#owners.set(room.owner, owner);
    } else {
      owner.rooms.delete(room);
      if (owner.rooms.size === 0) this.#owners.delete(room.owner);
    }
  }

  /** Whether a room's owner, or all together, keep too much. */
  isOver({ owner }: Room): boolean {
    const { total, share } = this.#limits;
    if (this.#total <= this.#stuckAt * 1.05) return false;
    return this.#total > total || (this.#owners.get(owner)?.bytes ?? 0) > share;
  }

  /** Time has passed: what could not be trimmed before may be now. */
  retry(): void {
    this.#stuckAt = Number.NEGATIVE_INFINITY;
  }

  /**
   * Trims until nobody keeps too much: of the owner with the most bytes the largest room first. Where that owner has nothing to let go
   * of, nobody else pays for it.
   * @param trim lets a room go of some of what it keeps; returns how many bytes that were. A room that frees nothing is left alone.
   */
  trim(trim: (room: Room) => number): void {
    const { total, share } = this.#limits;
    for (const [name, owner] of this.#owners) if (owner.bytes > share) this.#trimOwner(name, share * target, trim);
    while (this.#total > total && this.#trimLargest(trim));
    for (const { bytes } of this.#owners.values()) if (bytes > share) this.#stuckAt = this.#total;
    if (this.#total > total) this.#stuckAt = this.#total;
  }

  /** @returns whether anything was freed */
  #trimLargest(trim: (room: Room) => number): boolean {
    let largest = '';
    let most = 0;
    for (const [name, { bytes }] of this.#owners) if (bytes > most) [largest, most] = [name, bytes];
    this.#trimOwner(largest, most * target, trim);
    return (this.#owners.get(largest)?.bytes ?? 0) < most;
  }

  #trimOwner(name: string, down: number, trim: (room: Room) => number): void {
    const owner = this.#owners.get(name);
    if (!owner) return;
    for (const room of [...owner.rooms].sort((a, b) => b.bytes - a.bytes)) {
      if (owner.bytes <= down) return;
      const freed = trim(room);
      if (freed > 0) this.set(room, Math.max(1, room.bytes - freed));
    }
  }
}
