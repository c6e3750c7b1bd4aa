/** The status as one page that needs nothing else: no script, no request. Whatever it shows is text, see `markup`. */
import { type Action, ACTIONS } from "../job";
import { sendsNone } from "../alarms/transitions";
import { bytes, counted, duration, minute } from "../words";
import { type Html, markup, name } from "./markup";
import { amissFirst, isStale, kindInWords, type StatusRow } from "./order";
import { calendar, calendarLegend, calendarMonths, growth, type Place, placesUntil } from "./page-figures";
import { COLUMNS, STYLE } from "./page-style";
import type { Alarm, RepositoryStatus, Status, Suspects, WayStatus } from "./schema";

/** What a browser is allowed: the style in the page, and the icon that keeps it from asking for one. */
const POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

/** How many alarms are shown at once; the others have to be opened. */
const MOST_ALARMS = 50;

const number = (n: number): string => n.toLocaleString("en");

/** A time for people: the page says once that all are UTC. */
const when = (ms: number): string => minute(ms).replace(/T(.*)Z$/, " $1");

/** What the page is of. */
interface Page {
  readonly at: number;
  readonly places: readonly Place[];
  /** The places of the alarms on the page, by their IDs. */
  readonly alarmNumbers: ReadonlyMap<string, number>;
  /** The places of the rows on the page. */
  readonly rowNumbers: ReadonlyMap<string, number>;
}

const rowKey = (client = "", repository = ""): string => JSON.stringify([client, repository]);

const repositoryName = (client: string, repository: string): Html =>
  markup`${name(client)}/${name(repository)}`;

const age = ({ at }: Page, time: number): string =>
  time > at ? `in ${duration(time - at)}` : `${duration(at - time)} ago`;

const definition = (term: string, description: Html | string | undefined): Html | undefined =>
  description === undefined ? undefined : markup`<div><dt>${term}</dt><dd>${description}</dd></div>`;

/** Whether all is well; what is amiss is counted, the canary's alarms are not. */
function verdict(status: Status, stale: boolean): { readonly tone: "bad" | "warn" | "well"; text: string } {
  const alarms = status.alarms.filter(({ canary }) => !canary);
  const critical = alarms.filter(({ severity }) => severity === "critical").length;
  const warnings = alarms.length - critical;
  const failing = status.ways.filter(({ failingSince }) => failingSince !== undefined).length;
  const amiss = [
    ...(critical > 0 ? [counted(critical, "critical alarm")] : []),
    ...(warnings > 0 ? [counted(warnings, "warning")] : []),
    ...(failing > 0 ? [`${counted(failing, "way")} of sending fail${failing === 1 ? "s" : ""}`] : []),
  ];
  if (amiss.length === 0) return { tone: "well", text: stale ? "All was well" : "All is well" };
  return { tone: critical + failing > 0 ? "bad" : "warn", text: `Amiss: ${amiss.join(", ")}` };
}

function suspects(what: string, found: Suspects): Html | undefined {
  if (found.count === 0) return undefined;
  const since = found.since === undefined ? "" : ` since ${when(found.since)}`;
  const rest = found.count - found.some.length;
  return markup`<div><dt>${what}</dt><dd><span class="bad">${counted(found.count, "object")}${since}</span>${found.some.map((key) => markup`<div><code>${name(key)}</code></div>`)}${rest > 0 ? markup`<div>and ${number(rest)} more</div>` : ""}</dd></div>`;
}

/** @param off milliseconds that the watcher's clock is ahead of S3's */
function clockWords(off: number): string {
  if (Math.abs(off) < 1000) return "within a second of S3's";
  return `${duration(Math.abs(off))} ${off < 0 ? "behind" : "ahead of"} S3's`;
}

function bucketFacts(page: Page, status: Status, rows: readonly StatusRow[]): Html {
  const { bucket, verify, retentionOff } = status;
  const { quota, clockOff } = bucket;
  const watched = rows.filter(({ row }) => !row.canary);
  const amiss = watched.filter((one) => one.alarms.length > 0).length;
  const share = quota === undefined ? 0 : Math.round((100 * bucket.bytes) / Math.max(quota, 1));
  const used =
    quota === undefined
      ? bytes(bucket.bytes)
      : markup`${bytes(bucket.bytes)} of ${bytes(quota)}, ${share} %<meter min="0" max="100" high="90" value="${share}">${share} %</meter>`;
  const verified =
    verify === undefined
      ? "never"
      : markup`${age(page, verify.at)}: ${number(verify.passed)} hold${verify.failed > 0 ? markup`, <strong class="bad">${number(verify.failed)} do not</strong>` : ""}${verify.unknown > 0 ? `, ${number(verify.unknown)} unknown` : ""}`;
  return markup`<dl class="facts">
${definition("Repositories", `${number(watched.length)}, ${amiss === 0 ? "all well" : `${number(amiss)} amiss`}`)}
${definition("In the bucket, old versions included", used)}
${definition("Last verify", verified)}
${definition("Clock", clockOff === undefined ? undefined : clockWords(clockOff))}
${definition("Retention", retentionOff === undefined ? "on" : markup`off: ${retentionOff}`)}
${definition("Bucket", markup`${name(bucket.name)} at ${name(bucket.endpoint)}`)}
${suspects("Belongs to no repository", bucket.beside)}
</dl>`;
}

function alarmItem(page: Page, alarm: Alarm): Html {
  const { id, severity, client, repository, canary, since, text, next } = alarm;
  const row = page.rowNumbers.get(rowKey(client, repository));
  const about =
    client === undefined || repository === undefined
      ? markup`the bucket`
      : repositoryName(client, repository);
  const tone = severity === "critical" ? "bad" : "warn";
  return markup`<li class="alarm" id="a${page.alarmNumbers.get(id)}">
<span><span class="tag ${severity} ${tone}">${severity}</span></span>
<p><strong>${row === undefined ? about : markup`<a href="#r${row}">${about}</a>`}</strong><span> ${kindInWords(alarm)}${canary ? ", verify's canary" : ""}</span></p>
<p>${text}<br><code>${next}</code></p>
<p class="when">${age(page, since)}<span> since ${when(since)}</span></p>
</li>
`;
}

function alarmSection(page: Page, alarms: readonly Alarm[]): Html | undefined {
  if (alarms.length === 0) return undefined;
  const items = alarms.map((alarm) => alarmItem(page, alarm));
  const rest = items.slice(MOST_ALARMS);
  return markup`<section aria-labelledby="alarms"><h2 id="alarms">Alarms <small>${number(alarms.length)}</small></h2>
<ul>${items.slice(0, MOST_ALARMS)}</ul>
${rest.length === 0 ? "" : markup`<details><summary>${number(rest.length)} more</summary><ul>${rest}</ul></details>`}
</section>
`;
}

function wayRow(page: Page, way: WayStatus): Html {
  const { sent, failingSince, error, pending, test } = way;
  const state =
    failingSince === undefined
      ? markup`<span class="well">works</span>`
      : markup`<strong class="bad">fails since ${when(failingSince)}</strong>${error === undefined ? "" : markup`<small>${error}</small>`}`;
  const tested =
    test === undefined
      ? markup`–`
      : markup`${test.ok ? "" : markup`<strong class="bad">failed</strong> `}${age(page, test.at)}<small>${test.detail}</small>`;
  return markup`<tr><th scope="row">${name(way.name)}</th><td>${state}</td><td>${sent === undefined ? "never" : age(page, sent)}</td><td>${number(pending)}</td><td>${tested}</td></tr>
`;
}

/** A workstation sends nothing and knows of no way. */
function waySection(page: Page, { by, ways }: Status): Html | undefined {
  if (by === "workstation" && ways.length === 0) return undefined;
  const none = markup`<p class="warn">None is configured: an alarm reaches only those who look here.</p>`;
  const table = markup`<table id="ways-table" aria-labelledby="ways"><thead><tr>${COLUMNS.ways.map((column) => markup`<th scope="col">${column}</th>`)}</tr></thead>
<tbody>
${ways.map((way) => wayRow(page, way))}</tbody></table>`;
  return markup`<section aria-labelledby="ways"><h2 id="ways">Ways of sending alarms</h2>
${sendsNone(ways) ? none : ""}${ways.length === 0 ? "" : table}
</section>
`;
}

/** The first cell: the name, and in words what is to be known of it. */
function nameCell(page: Page, { row, alarms }: StatusRow): Html {
  const tags = alarms.map((alarm) => {
    const tone = alarm.severity === "critical" ? "bad critical" : "warn";
    return markup`<a class="tag ${tone}" href="#a${page.alarmNumbers.get(alarm.id)}">${kindInWords(alarm)}</a>`;
  });
  const words = [
    ...(row.canary ? ["verify's canary"] : []),
    ...(row.frozen ? ["frozen"] : []),
    ...(row.held ? ["held"] : []),
    ...(row.error === undefined ? [] : ["not listed"]),
  ].map((word) => markup`<span class="tag">${word}</span>`);
  const all = [...tags, ...words];
  return markup`<th scope="row"><div class="name">${repositoryName(row.client, row.repository)}</div>${all.length === 0 ? "" : markup`<div class="tags">${all}</div>`}</th>`;
}

function lastBackupCell(page: Page, { lastBackup, claimed, reported }: RepositoryStatus): Html {
  const last =
    lastBackup === undefined
      ? markup`none yet`
      : markup`<strong>${age(page, lastBackup)}</strong><small>${when(lastBackup)}</small>`;
  return markup`<td>${last}${claimed === undefined ? "" : markup`<span class="warn">claims</span><small class="claim">${name(claimed)}</small>`}${reported === undefined ? "" : markup`<span class="${reported.result === "failed" ? "bad" : "warn"}">${reported.result}</span><small>since ${when(reported.since)}</small>`}</td>`;
}

function dueCell(page: Page, { nextDue, overdueSince, frozen }: RepositoryStatus): Html {
  if (overdueSince !== undefined) {
    return markup`<td><strong class="bad">overdue</strong><small>since ${when(overdueSince)}</small></td>`;
  }
  if (nextDue === undefined) return markup`<td>${frozen ? "frozen" : "not due"}</td>`;
  return markup`<td>${age(page, nextDue)}<small>${when(nextDue)}</small></td>`;
}

function sizeCell(page: Page, { bytes: size, added, days }: RepositoryStatus): Html {
  return markup`<td>${bytes(size)}<small>+${bytes(added)} in 24 h</small>${growth(days, page.places)}</td>`;
}

/** How an action of retention went: how long ago it last succeeded, or that it fails. */
function actionCell(page: Page, row: RepositoryStatus, action: Action): Html {
  const last = row.tried[action];
  const read =
    action === "check" && row.allDataRead !== undefined
      ? markup`<small>all data ${age(page, row.allDataRead)}</small>`
      : "";
  if (last === undefined) return markup`<td>–${read}</td>`;
  if (last.ok) return markup`<td>${age(page, last.at)}${read}</td>`;
  const before = last.succeeded === undefined ? "never done" : `done ${age(page, last.succeeded)}`;
  return markup`<td><strong class="bad">failed</strong><small>${before}</small>${read}</td>`;
}

function locksCell(page: Page, { locks }: RepositoryStatus): Html {
  const oldest = locks.oldest === undefined ? "" : markup`<small>oldest ${age(page, locks.oldest)}</small>`;
  return markup`<td>${number(locks.count)}${oldest}</td>`;
}

/** What is behind the row: what the keeper last did, why anything stands still, which objects are suspect. */
function details(row: RepositoryStatus): Html {
  const tried = ACTIONS.map((action) => {
    const last = row.tried[action];
    if (last === undefined) return undefined;
    return definition(
      action,
      markup`${last.ok ? "" : markup`<strong class="bad">failed</strong> `}${when(last.at)}: ${last.detail}`,
    );
  });
  return markup`<tr class="more"><td colspan="${COLUMNS.repositories.length}"><details><summary>schedule ${name(row.schedule)} · ${counted(row.objects, "object")} · ${bytes(row.versionBytes)} with old versions</summary><dl>
${definition("not listed", row.error)}
${definition("listed", row.seen === 0 ? "never" : when(row.seen))}
${tried}
${definition("findings", row.findings === 0 ? undefined : markup`<span class="bad">${number(row.findings)}</span>`)}
${row.pauses.map(({ kind, why, since }) => definition("stands still", markup`${name(kind)} since ${when(since)}: ${why}`))}
${suspects("unknown", row.unknown)}${suspects("hidden", row.hidden)}${suspects("overwritten", row.overwritten)}
</dl></details></td></tr>`;
}

function repositoryRows(page: Page, status: StatusRow, n: number): Html {
  const { row, alarms } = status;
  const tone = row.canary
    ? "canary"
    : { critical: "bad", warning: "warn", none: "" }[alarms[0]?.severity ?? "none"];
  return markup`<tbody class="${tone}" id="r${n}"><tr>${nameCell(page, status)}${lastBackupCell(page, row)}${dueCell(page, row)}${sizeCell(page, row)}<td>${calendar(row.days, page.places)}</td><td>${number(row.snapshots)}</td>${locksCell(page, row)}${actionCell(page, row, "forget")}${actionCell(page, row, "prune")}${actionCell(page, row, "check")}</tr>
${details(row)}</tbody>
`;
}

function repositorySection(page: Page, rows: readonly StatusRow[]): Html {
  return markup`<section aria-labelledby="repositories"><h2 id="repositories">Repositories <small>what is amiss first</small></h2>
${calendarLegend()}
${calendarMonths(page.places)}
<table id="rows" aria-labelledby="repositories"><thead><tr>${COLUMNS.repositories.map((column) => markup`<th scope="col">${column}</th>`)}</tr></thead>
${rows.map((row, n) => repositoryRows(page, row, n))}</table>
</section>
`;
}

/**
 * The page.
 *
 * @param now when somebody looks, in milliseconds since 1970: a page that is too old by then says so first
 */
export function renderPage(status: Status, now = status.at): string {
  const { at, by, validUntil, alarms, bucket } = status;
  const rows = amissFirst(status);
  const page: Page = {
    at,
    places: placesUntil(at),
    alarmNumbers: new Map(alarms.map(({ id }, n) => [id, n])),
    rowNumbers: new Map(rows.map(({ row }, n) => [rowKey(row.client, row.repository), n])),
  };
  const stale = isStale(status, now);
  const { tone, text } = verdict(status, stale);
  const old =
    stale && validUntil !== undefined
      ? markup`<p class="bad banner"><strong>This page is old: the watcher is late or dead.</strong> It was valid until ${when(validUntil)} UTC, ${duration(now - validUntil)} ago.</p>
`
      : "";
  const expiry =
    validUntil === undefined
      ? ""
      : markup` If it is later than ${when(validUntil)} UTC, this page is old: the watcher is late or dead.`;
  return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="referrer" content="no-referrer">
<link rel="icon" href="data:,">
<title>${stale ? "Old: " : ""}${text} – ${bucket.name}</title>
<style>${STYLE}</style>
</head>
<body>
<header>
${old}<h1>Backups in ${name(bucket.name)}</h1>
<p class="${tone} verdict">${text}</p>
<p>As of <strong>${when(at)} UTC</strong>, by the ${by}.${expiry}</p>
</header>
<main>
${bucketFacts(page, status, rows)}
${alarmSection(page, alarms)}${waySection(page, status)}${repositorySection(page, rows)}</main>
<footer><p>All times are UTC, and ages are as of ${when(at)}. A backup counts when it arrives; what a snapshot claims of its own date decides nothing.</p></footer>
</body>
</html>
`.text;
}
