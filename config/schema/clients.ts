import { z } from "zod";
import { nameProblem } from "../values/names";
import {
  MAPPING,
  missingOrWrong,
  text,
  privateKey,
  flag,
  list,
  textList,
  mapping,
  oneOf,
  cidrs,
  byName,
} from "./fields";
import { machine } from "./machine";
import { keyOnlyRepository, password, repository } from "./repository";
import { sshTarget } from "./ssh-target";
import type { MachineConfig } from "./machine";
import type { RepositoryConfig } from "./repository";
import type { SshTarget } from "./ssh-target";

/** A machine that backs up. */
export type ClientConfig = VmClient | ExistingClient | KeyOnlyClient;

/** What all kinds of clients have. */
interface CommonClient {
  /**
   * Host name and first part of the repositories' address: a lower-case DNS label of at most 63 characters, not only
   * digits, not one of restic's own names (data, keys, locks, snapshots, index, config), not localhost. Required.
   */
  name: string;
  /**
   * Whether it is shut out: its keys stop working and its machine is not contacted any more, while machine, backups
   * and keys stay as they are. For a client that may be compromised.
   * @default false
   */
  frozen: boolean;
  /** What it backs up, at least one; names differ within a client. Required. */
  repositories: RepositoryConfig[];
}

/** A virtual machine created by this stack. */
export interface VmClient extends CommonClient, MachineConfig {
  kind: "vm";
  /**
   * Names or IDs of existing security groups, besides the one that the stack creates.
   * @default none
   */
  securityGroups: string[];
}

/** A server that exists and is reached by SSH. */
export interface ExistingClient extends CommonClient {
  kind: "existing";
  /** How the stack reaches it. Required. No two clients may be one machine (address and port, or host key). */
  ssh: SshTarget;
  /**
   * Networks (CIDR) from which it connects to the proxy.
   * @default `ssh.address` where that is an IP address; required where it is a name
   */
  sourceCidrs: string[];
}

/** A machine to which the stack has no access: its operator gave us public keys and gets instructions. */
export interface KeyOnlyClient extends CommonClient {
  kind: "key-only";
  /** Networks (CIDR) from which it connects to the proxy, at least one. Required. */
  sourceCidrs: string[];
}

const REPOSITORIES = "list the client's repositories, at least one, each with name and paths";
const clientName = text("give the client's host name", nameProblem);
const sourceCidrs = (least: number) =>
  cidrs("the networks from which this client connects to the proxy", least);

const KINDS = {
  vm: {
    ...machine,
    securityGroups: textList(
      text("give the name or ID of a security group"),
      "list names or IDs of existing security groups, see `openstack security group list`",
    ).default([]),
  },
  existing: { ssh: sshTarget("the server"), sourceCidrs: sourceCidrs(0).optional() },
  "key-only": { sourceCidrs: sourceCidrs(1) },
};

/** The keys that only clients of other kinds have, with what to do about them. */
function otherKinds(kind: keyof typeof KINDS): Record<string, string> {
  const keys = Object.values(KINDS).flatMap((shape) => Object.keys(shape));
  const others = keys.filter((key) => !(key in KINDS[kind]));
  return Object.fromEntries(
    others.map((key) => {
      const kinds = Object.entries(KINDS).flatMap(([name, shape]) => (key in shape ? [`"${name}"`] : []));
      return [
        key,
        `is for clients of kind ${kinds.join(" or ")}, and this one is "${kind}"; leave it out or change kind`,
      ];
    }),
  );
}

const CLIENT = "give name, kind and repositories";
const vmClient = mapping(
  {
    kind: z.literal("vm"),
    name: clientName,
    frozen: flag().default(false),
    ...KINDS.vm,
    repositories: list(repository, REPOSITORIES, 1),
  },
  CLIENT,
  otherKinds("vm"),
);
const existingClient = mapping(
  {
    kind: z.literal("existing"),
    name: clientName,
    frozen: flag().default(false),
    ...KINDS.existing,
    repositories: list(repository, REPOSITORIES, 1),
  },
  CLIENT,
  otherKinds("existing"),
);
const keyOnlyClient = mapping(
  {
    kind: z.literal("key-only"),
    name: clientName,
    frozen: flag().default(false),
    ...KINDS["key-only"],
    repositories: list(keyOnlyRepository, REPOSITORIES, 1),
  },
  CLIENT,
  otherKinds("key-only"),
);
/** A client of no known kind: never valid, but its kind is not the only error to report. */
const kindless = z
  .looseObject(
    {
      kind: z.enum(Object.keys(KINDS), {
        error: ({ input }) =>
          missingOrWrong(input, "a kind of client", 'write "vm", "existing" or "key-only"'),
      }),
      name: clientName,
    },
    { error: ({ input }) => missingOrWrong(input, MAPPING, CLIENT) },
  )
  .transform(() => z.NEVER);

export const client = oneOf<z.output<typeof vmClient | typeof existingClient | typeof keyOnlyClient>>(
  ({ kind }) => {
    if (kind === "vm") return vmClient;
    if (kind === "existing") return existingClient;
    return kind === "key-only" ? keyOnlyClient : kindless;
  },
);

/** Secrets of clients that have files of their own, where their files would have them. */
export const clientSecrets = byName(
  mapping(
    {
      ssh: mapping({ privateKey }, "give privateKey").optional(),
      repositories: byName(
        mapping({ password }, "give password"),
        "give for each repository, by its name, its password",
      ).optional(),
    },
    "give ssh or repositories",
  ),
  "give for each client, by its name, its ssh or repositories",
);
