import { userProblem } from "../values/names";
import { text, flag, within, mapping, oneOf } from "./fields";

/**
 * A thing of the cloud's: its name or UUID as a string, or `{ id: ID }` where the cloud's IDs are no UUIDs.
 * @example `Debian 12`, `{ id: "42" }`
 */
export type NameOrId = string | { id: string };

/** The disk of a host: a volume created from its image, in place of the disk that its flavor brings. */
export interface VolumeConfig {
  /** In GiB, a whole number from 1 to 65536. Required. */
  size: number;
  /**
   * Name of the volume type.
   * @default the cloud's
   */
  type?: string;
  /**
   * Whether the volume outlives its host: nothing then removes it but a person.
   * @default false
   */
  keep: boolean;
}

/** What a host of the stack is created with. A change rebuilds no host: it applies to hosts that are created later. */
export interface MachineConfig {
  /** Name or ID of the image: Debian 12 or newer with cloud-init. Required. */
  image: NameOrId;
  /** Name or ID of the flavor: 1 vCPU and 512 MB are enough for a proxy of a few clients. Required. */
  flavor: NameOrId;
  /**
   * The boot volume; required with a flavor that has no disk.
   * @default the flavor's disk, which is deleted with the host
   */
  volume?: VolumeConfig;
  /**
   * Name of the availability zone.
   * @default the cloud's choice
   */
  availabilityZone?: string;
  /**
   * The user of the image that may become root with sudo.
   * @default `access.user`
   */
  user: string;
}

/** A thing of the cloud's by its name or UUID, or as a mapping by an ID of any other form. */
const nameOrId = (give: string) =>
  oneOf<string | { id: string }>((raw) => ("id" in raw ? mapping({ id: text(give) }, give) : text(give)));

const MOST_GIB = 65536;
const volume = mapping(
  {
    size: within("a size in GiB", 1, MOST_GIB, `write a whole number from 1 to ${MOST_GIB} without quotes`),
    type: text("give the name of a volume type, see `openstack volume type list`").optional(),
    keep: flag().default(false),
  },
  "give size, or leave volume out",
);

/** What a host is created with. */
export const machine = {
  image: nameOrId("give the name or ID of an image, see `openstack image list`"),
  flavor: nameOrId("give the name or ID of a flavor, see `openstack flavor list`"),
  volume: volume.optional(),
  availabilityZone: text(
    "give the name of an availability zone, see `openstack availability zone list --compute`",
  ).optional(),
  user: text("give the user of the image", userProblem).optional(),
};
