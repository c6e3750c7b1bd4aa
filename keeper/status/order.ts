/** What is amiss, and first; and what kinds of alarms are called. */
import { nameOf } from "../gate/names";
import type { Alarm, RepositoryStatus, Status } from "./schema";

/** A kind of alarm as people read it: `hidden object`. */
export const kindInWords = ({ kind }: Pick<Alarm, "kind">): string => kind.replaceAll("-", " ");

const rank = ({ canary, severity }: Alarm): number => (canary ? 2 : severity === "critical" ? 0 : 1);

/** The gravest first, then the oldest; the canary's last. */
export const byGravity = (one: Alarm, other: Alarm): number =>
  rank(one) - rank(other) || one.since - other.since || (one.id < other.id ? -1 : 1);

/** A repository and its alarms. */
export interface StatusRow {
  readonly row: RepositoryStatus;
  /** The gravest first. */
  readonly alarms: readonly Alarm[];
}

/**
 * The repositories, what is amiss first: the order of their gravest alarms, then by name. The canary's comes last,
 * whatever its alarms are.
 */
export function amissFirst({ repositories, alarms }: Pick<Status, "repositories" | "alarms">): StatusRow[] {
  const byRepository = new Map<string, { order: number; alarms: Alarm[] }>();
  alarms.forEach((alarm, order) => {
    const name = `${alarm.client ?? ""}/${alarm.repository ?? ""}`;
    const known = byRepository.get(name);
    if (known === undefined) byRepository.set(name, { order, alarms: [alarm] });
    else known.alarms.push(alarm);
  });
  return repositories
    .map((row) => {
      const name = nameOf(row);
      const { order = Infinity, alarms: own = [] } = byRepository.get(name) ?? {};
      return { row, name, order, alarms: own };
    })
    .sort(
      (one, other) =>
        Number(one.row.canary) - Number(other.row.canary) ||
        (one.order === other.order ? 0 : one.order - other.order) ||
        (one.name < other.name ? -1 : 1),
    )
    .map(({ row, alarms: own }) => ({ row, alarms: own }));
}

/**
 * Whether a status is older than it should be: then the watcher is late, or dead.
 *
 * @param now milliseconds since 1970
 */
export const isStale = ({ validUntil }: Pick<Status, "validUntil">, now: number): boolean =>
  validUntil !== undefined && validUntil < now;

/** Whether the operator has to look: an alarm that is no canary's stands, a way fails, or the status is too old. */
export const isAmiss = (status: Pick<Status, "alarms" | "ways" | "validUntil">, now: number): boolean =>
  status.alarms.some(({ canary }) => !canary) ||
  status.ways.some(({ failingSince }) => failingSince !== undefined) ||
  isStale(status, now);
