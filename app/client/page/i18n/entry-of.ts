/** Looks up a value from the network, which may belong to a later protocol, or be the name of an inherited property. */
export const entryOf = <Entry>(table: Readonly<Record<string, Entry>>, key: string): Entry | undefined =>
  Object.hasOwn(table, key) ? table[key] : undefined;
