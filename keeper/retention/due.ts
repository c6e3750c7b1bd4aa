/** When the keeper works on a repository: each day and week at a time of its own, far from the client's. */
import { nextTime, OnCalendar, parseOnCalendar, smallestGap } from "../../config/on-calendar";
import type { Action } from "../job";
import type { KeeperSettings, KeptRepository } from "../settings";
import type { RepositoryState, Tried } from "../state";
import { DAY, HOUR } from "../time";
import { standing } from "./pauses";

const WEEK = 7 * DAY;

/** A backup may run so much longer than its window. */
const BACKUP = HOUR / 2;

/** A Monday; which times a schedule has in the week after its first time from then on stands for all weeks. */
const REFERENCE = Date.UTC(2024, 0, 1);

/** A number from 0 to 1 (excluded) that is always the same for a text, and spread evenly over texts (FNV-1a). */
function spread(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  // The last bytes barely reach the highest bits.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b) >>> 0;
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35) >>> 0;
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}

/** The calendar of a repository's schedule; `undefined`: there is none. */
const calendarOf = ({ schedule }: KeptRepository): OnCalendar | undefined =>
  schedule === "none" ? undefined : parseOnCalendar(schedule);

/** What {@link weekOf} found, by schedule: a fleet has few. */
const WEEKS = new Map<string, readonly number[]>();

/** The times of a schedule in one week; none: there is no schedule, or its times are less than an hour apart. */
function weekOf(repository: KeptRepository): readonly number[] {
  const known = WEEKS.get(repository.schedule);
  if (known !== undefined) return known;
  const times = timesInWeek(calendarOf(repository));
  WEEKS.set(repository.schedule, times);
  return times;
}

function timesInWeek(calendar: OnCalendar | undefined): number[] {
  if (calendar === undefined || smallestGap(calendar) * 1000 < HOUR) return [];
  const times: number[] = [];
  let time = nextTime(calendar, new Date(REFERENCE))?.getTime();
  const end = (time ?? 0) + WEEK;
  while (time !== undefined && time < end) {
    times.push(time);
    time = nextTime(calendar, new Date(time))?.getTime();
  }
  return times;
}

/** A time of a period in the middle half of the longest gap that the client leaves in it, spread by the name. */
function quietTime(times: readonly number[], period: number, window: number, name: string): number {
  if (times.length === 0) return Math.floor(spread(name) * period);
  const starts = [...new Set(times.map((time) => time % period))].sort((a, b) => a - b);
  const gaps = starts.map((start, at) => ({
    start,
    length: (starts[at + 1] ?? (starts[0] ?? 0) + period) - start,
  }));
  const longest = Math.max(...gaps.map(({ length }) => length));
  const quiet = gaps.filter(({ length }) => length === longest);
  const { start } = quiet[Math.floor(spread(`${name} gap`) * quiet.length)] ?? { start: 0 };
  const free = Math.max(0, longest - window);
  return Math.floor(start + window + free * (0.25 + spread(name) / 2)) % period;
}

/** The last time up to `now` at which a period's turn came. */
const lastTurn = (now: number, turn: number, period: number): number =>
  Math.floor((now - turn) / period) * period + turn;

/** The turns of a repository: when its day and its week last began for the keeper. The week's is one of the days'. */
export function lastTurns(now: number, repository: KeptRepository): { day: number; week: number } {
  const name = `${repository.client}/${repository.repository}`;
  const times = weekOf(repository);
  const window = repository.window * 60_000;
  const day = quietTime(times, DAY, window, name);
  const week = quietTime(times, WEEK, window, `${name} week`);
  return {
    day: lastTurn(now, day, DAY),
    week: lastTurn(now, day + DAY * Math.round((week - day) / DAY), WEEK),
  };
}

/** Whether the client's own backup may be running: then the keeper waits, where the schedule leaves it a time. */
export function clientIsAtWork(now: number, repository: KeptRepository): boolean {
  const calendar = calendarOf(repository);
  const length = repository.window * 60_000 + BACKUP;
  if (calendar === undefined || smallestGap(calendar) * 1000 < 2 * length) return false;
  const last = nextTime(calendar, new Date(now - length));
  return last !== undefined && last.getTime() <= now;
}

/** When the client's next snapshot is overdue, `undefined`: never, as there is no schedule. */
export function overdueAt(repository: KeptRepository, lastArrival: number): number | undefined {
  const calendar = calendarOf(repository);
  if (calendar === undefined) return undefined;
  const next = nextTime(calendar, new Date(lastArrival));
  const second = next && nextTime(calendar, next);
  return second && second.getTime() + repository.window * 60_000 + DAY;
}

/** Days between two checks: all data is read twice while an old version lives, but no more than a part a day. */
export function daysBetweenChecks(settings: KeeperSettings, parts: number): number {
  return Math.min(7, Math.max(1, Math.floor(settings.noncurrentVersionDays / 2 / parts)));
}

/**
 * Which actions are due, from the state alone; empty: nothing. What is due comes in one run: a guard, and with it what
 * else has its turn. A guard and a forgetting have theirs daily, a prune weekly, a check weekly or oftener
 * ({@link daysBetweenChecks}). What failed is repeated after an hour or two, then after twice as long each time, until
 * its next turn; a guard that found something only then, because it reads again what it found.
 *
 * Of a repository without a state everything is due; times of day are its own only from the second day on.
 *
 * @param asked whether the operator wants a run now: then everything is due that nothing stands against
 */
export function isDue(
  now: number,
  settings: KeeperSettings,
  repository: KeptRepository,
  state: RepositoryState | undefined,
  asked = false,
): Action[] {
  if (!asked && clientIsAtWork(now, repository)) return [];
  const tried = pastOf(state?.tried ?? {}, now);
  const turns = lastTurns(now, repository);
  const wait = HOUR * (1 + spread(`${repository.client}/${repository.repository} again`));
  const again = ({ at, ok, failingSince = at }: Tried): boolean => {
    // Every run begins with a guard, so it shows when the last run was.
    const last = Math.max(at, tried.guard?.at ?? at);
    return !ok && last + Math.min(DAY, Math.max(wait, last - failingSince)) <= now;
  };
  const parts = state?.nextPart?.of ?? 1;
  const days = daysBetweenChecks(settings, parts);
  const since = asked
    ? { forget: now, prune: now, check: now }
    : {
        forget: turns.day,
        prune: turns.week,
        check: days === 7 ? turns.week : turns.day - (days - 1) * DAY,
      };
  const stands = standing(settings, repository, state).length > 0;
  const wanted = (["forget", "prune", "check"] as const)
    .filter((action) => action === "check" || !stands)
    .filter((action) => (tried[action]?.succeeded ?? -Infinity) < since[action])
    .filter((action) => action !== "prune" || hasForgotten(tried));
  const ready = wanted.filter((action) => {
    const last = tried[action];
    return asked || last === undefined || last.ok || last.at < turns.day || again(last);
  });

  const { guard } = tried;
  const turn = guard === undefined || guard.at < turns.day;
  const repeat = guard !== undefined && state?.findings.length === 0 && again(guard);
  const failed = ready.some((action) => {
    const last = tried[action];
    return last !== undefined && last.at >= turns.day && again(last);
  });
  return asked || turn || repeat || failed ? ["guard", ...ready] : [];
}

/** Without what a clock that was ahead left: it would keep the repository from every turn until then. */
function pastOf(tried: RepositoryState["tried"], now: number): RepositoryState["tried"] {
  return Object.fromEntries(Object.entries(tried).filter(([, { at }]) => at <= now));
}

/** Whether something was forgotten that no prune has removed yet. */
function hasForgotten({ forget, prune }: RepositoryState["tried"]): boolean {
  return (forget?.succeeded ?? -Infinity) > (prune?.succeeded ?? -Infinity);
}
