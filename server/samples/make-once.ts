/** Made when they are first asked for, and kept in memory: there are few, and they never change. */
const made = new Map<string, Promise<Buffer>>();

/** The sample's file of that id; it is made again where making it failed. */
export function makeOnce(id: string, make: () => Promise<Buffer>): Promise<Buffer> {
  const known = made.get(id);
  if (known) return known;
  const making = make();
  made.set(id, making);
  making.catch(() => made.delete(id));
  return making;
}
