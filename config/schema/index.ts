import { versionProblem } from "../values/programs";
import { access } from "./access";
import { alarms } from "./alarms";
import { client, clientSecrets } from "./clients";
import { egress } from "./egress";
import { text, flag, list, mapping } from "./fields";
import { keeper } from "./keeper";
import { network } from "./network";
import { artifact } from "./program";
import { proxy } from "./proxy";
import { s3 } from "./s3";

export type { KnownKeys } from "./fields";
export { clientSecrets } from "./clients";

/** Every field by itself: its type, its form and the defaults that depend on no other field. */
export const stackSchema = mapping(
  {
    protect: flag().default(true),
    network,
    access,
    egress: egress.prefault({}),
    proxy,
    keeper: keeper.optional(),
    alarms: alarms.prefault({}),
    restic: artifact(
      "restic",
      ".bz2",
      versionProblem,
      "https://github.com/restic/restic/releases/download/vVERSION/SHA256SUMS",
    ).optional(),
    s3,
    clients: list(client, "list the clients, or write []"),
    clientsFolder: text('give the folder of the clients\' files, for example "clients/prod"').optional(),
    clientSecrets: clientSecrets.optional(),
  },
  "give network, access, proxy, s3 and clients",
);
