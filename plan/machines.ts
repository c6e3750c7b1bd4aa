import { NameOrId, StackConfig } from "../config";

/** A host that starts on the disk that its flavor brings, which therefore must have one. */
export interface DiskOfFlavor {
  /** The host's name. */
  name: string;
  /** Whose it is, for an error: `proxy`, `keeper` or `client NAME`. */
  host: string;
  flavor: NameOrId;
}

/** The hosts that start on their flavor's disk; frozen clients are skipped, for nothing is created for them. */
export function disksOfFlavors({ proxy, keeper, clients }: StackConfig): DiskOfFlavor[] {
  return [
    ...(proxy.volume ? [] : [{ name: proxy.name, host: "proxy", flavor: proxy.flavor }]),
    ...(keeper === undefined || keeper.volume
      ? []
      : [{ name: keeper.name, host: "keeper", flavor: keeper.flavor }]),
    ...clients.flatMap((client) =>
      client.kind === "vm" && !client.frozen && client.volume === undefined
        ? [{ name: client.name, host: `client ${client.name}`, flavor: client.flavor }]
        : [],
    ),
  ];
}
