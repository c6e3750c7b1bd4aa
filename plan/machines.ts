import { NameOrId, StackConfig } from "../config";

/** A host that starts on the disk that its flavor brings, which therefore must have one. */
export interface DiskOfFlavor {
  /** Where its flavor is configured: keys and list indexes from the top of the configuration down. */
  path: PropertyKey[];
  flavor: NameOrId;
}

/** The hosts that start on their flavor's disk; frozen clients are passed over, for nothing is made for them. */
export function disksOfFlavors({ proxy, clients }: StackConfig): DiskOfFlavor[] {
  return [
    ...(proxy.volume ? [] : [{ path: ["proxy", "flavor"], flavor: proxy.flavor }]),
    ...clients.flatMap((client, index) =>
      client.kind === "vm" && !client.frozen && client.volume === undefined
        ? [{ path: ["clients", index, "flavor"], flavor: client.flavor }]
        : [],
    ),
  ];
}
