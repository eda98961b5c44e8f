/** The budget for bytes kept by all rooms of a process: who uses how much, and whose logs are trimmed first. */

/** `total`: bytes of all rooms. `share`: bytes of the rooms opened by one network (IPv4 address, IPv6 /48). */
export type KeptLimits = { total: number; share: number };

/** A room as counted here; `bytes`: what it keeps now. */
type KeptRoom = { owner: string; bytes: number };

/** Share of a limit that trimming leaves in use, so that the next event does not trim again. */
const target = 0.9;

export class KeptBytes<Room extends KeptRoom> {
  #total = 0;
  /** The total at which trimming freed nothing more; prevents a retry for every event. */
  #stuckAt = Number.NEGATIVE_INFINITY;
  readonly #owners = new Map<string, { bytes: number; rooms: Set<Room> }>();
  readonly #limits: KeptLimits;

  constructor(limits: KeptLimits) {
    this.#limits = limits;
  }

  get total(): number {
    return this.#total;
  }

  /** Sets the bytes of a room, and its owner, which changes when another client opens it again; 0 bytes remove it. */
  set(room: Room, bytes: number, owner = room.owner): void {
    if (owner !== room.owner) {
      this.#set(room, 0);
      room.owner = owner;
    }
    this.#set(room, bytes);
  }

  #set(room: Room, bytes: number): void {
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

  /** Whether the room's owner or the total is over its limit. */
  isOver({ owner }: Room): boolean {
    const { total, share } = this.#limits;
    if (this.#total <= this.#stuckAt * 1.05) return false;
    return this.#total > total || (this.#owners.get(owner)?.bytes ?? 0) > share;
  }

  /** Allows trimming again after it was stuck, since old events may have expired. */
  retry(): void {
    this.#stuckAt = Number.NEGATIVE_INFINITY;
  }

  /**
   * Trims until all limits are met, starting with the largest room of the owner with the most bytes. If that owner has nothing to
   * trim, no other owner is trimmed in its place.
   * @param trim frees some bytes of a room and returns how many; a room that frees nothing is skipped
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
