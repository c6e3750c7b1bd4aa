/** The columns and the style of the page. */
import { type Html, markup } from "./markup";
import { CALENDAR_DAYS } from "./schema";

/** The columns of the page's tables. On a phone each cell says which one it is. */
export const COLUMNS = {
  ways: ["Way", "State", "Last sent", "Waiting", "Last test"],
  repositories: [
    "Repository",
    "Last good backup",
    "Next due",
    "Size and growth",
    `Last ${CALENDAR_DAYS} days`,
    "Snapshots",
    "Locks",
    "Forget",
    "Prune",
    "Check",
  ],
} as const;

/** The names of columns before their cells, where the cells stand one below the other. */
const labels = (table: string, columns: readonly string[]): readonly Html[] =>
  columns.map((column, n) => markup`${table} td:nth-child(${n + 1})::before{content:"${column}"}\n`);

/** How the page looks: on a screen, a phone, in the dark and on paper. Colour is never the only sign of anything. */
export const STYLE = markup`
:root{color-scheme:light dark;
--paper:#fff;--soft:#f4f6f8;--ink:#1a1f26;--muted:#57606a;--line:#d8dee4;
--bad:#b42318;--bad-soft:#fdecea;--warn:#8a5000;--warn-soft:#fff4dc;--well:#1a7340;--well-soft:#e6f4ea;
--day:#2e8b57;--link:#0a58b5}
@media (prefers-color-scheme:dark){:root{
--paper:#14171b;--soft:#1d2127;--ink:#e3e7eb;--muted:#9aa5b1;--line:#323943;
--bad:#ff8f85;--bad-soft:#3a1c1a;--warn:#f2b866;--warn-soft:#352812;--well:#6fcf97;--well-soft:#15301f;
--day:#4fae7b;--link:#8ab8f5}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{margin:0 auto;max-width:90rem;padding:1.25rem 1.5rem 3rem;background:var(--paper);color:var(--ink);
font:14px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;
font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
h1{margin:0;font-size:1rem;font-weight:600;color:var(--muted)}
h2{margin:2rem 0 .5rem;font-size:1.05rem}
h2 small,.muted{color:var(--muted);font-weight:400;font-size:.85rem}
p{margin:.25rem 0}
a{color:var(--link);text-decoration:none}
a:hover,a:focus-visible{text-decoration:underline}
:target{outline:2px solid var(--link);outline-offset:-2px}
code{display:inline-block;max-width:100%;margin-top:.25rem;font:.8rem/1.4 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;
background:var(--soft);border:1px solid var(--line);border-radius:4px;padding:.1rem .35rem}
bdi{display:inline-block;max-width:100%;overflow:hidden;vertical-align:bottom}
ul{margin:0;padding:0;list-style:none}
.bad{color:var(--bad)}.warn{color:var(--warn)}.well{color:var(--well)}
.banner,.verdict{border-left:5px solid;border-radius:4px;padding:.6rem .9rem;margin:.5rem 0}
.verdict{font-size:1.35rem;font-weight:650;line-height:1.25}
.bad.banner,.bad.verdict{background:var(--bad-soft)}
.warn.verdict{background:var(--warn-soft)}
.well.verdict{background:var(--well-soft)}
.facts{display:flex;flex-wrap:wrap;gap:.5rem 2.5rem;margin:1rem 0 0}
.facts div{min-width:7rem}
dt{color:var(--muted);font-size:.8rem}
dd{margin:0}
meter{display:block;width:100%;height:.6rem}
.tag{display:inline-block;border:1px solid;border-radius:3px;padding:0 .35rem;font-size:.75rem;line-height:1.35;white-space:nowrap}
.critical{font-weight:650}
.alarm{display:grid;grid-template-columns:4.75rem 13rem 1fr 12rem;gap:0 1rem;padding:.5rem 0;border-top:1px solid var(--line)}
.alarm p{margin:0}
.alarm p>span{display:block}
.when{text-align:right;color:var(--muted);font-size:.85rem}
table{width:100%;border-collapse:collapse}
thead th{position:sticky;top:0;background:var(--paper);white-space:nowrap}
th{text-align:left;font-size:.75rem;font-weight:600;color:var(--muted);vertical-align:bottom;padding:.25rem .75rem .25rem 0;border-bottom:1px solid var(--line)}
td,tbody th{vertical-align:top;padding:.45rem .75rem .1rem 0}
tbody th{color:inherit;font-size:inherit;border:0;min-width:9rem}
tbody{border-bottom:1px solid var(--line)}
td small{display:block;color:var(--muted);font-size:.78rem}
td .bad,td .warn{display:block}
#rows td{white-space:nowrap}
#rows .more td,#rows small{white-space:normal}
#rows small{overflow-wrap:normal}
#rows td:nth-child(-n+3) small:not(.claim){white-space:nowrap}
#rows .claim{overflow-wrap:anywhere;max-width:11rem}
.name{max-width:16rem}
.tags{max-width:10rem;display:flex;flex-wrap:wrap;gap:.2rem;margin-top:.2rem}
tr.more td{padding:0 .75rem .45rem 0}
tbody.bad,tbody.warn{color:inherit}
tbody.bad>tr>:first-child{box-shadow:inset 4px 0 var(--bad)}
tbody.warn>tr>:first-child{box-shadow:inset 4px 0 var(--warn)}
#rows tbody>tr>:first-child,#rows thead th:first-child{padding-left:.75rem}
summary{color:var(--muted);font-size:.78rem;cursor:pointer}
.more dl{display:grid;grid-template-columns:8rem 1fr;gap:.15rem 1rem;margin:.4rem 0 .6rem;font-size:.85rem}
svg{display:block}
.defs{position:absolute;width:0;height:0}
#months text{font:6.5px system-ui,sans-serif;fill:var(--muted)}
.cal path{fill:none;stroke-width:5}
.cal .b{stroke:var(--day);stroke-dasharray:5 1}
.cal .p{stroke:var(--warn);stroke-dasharray:2 1}
.cal .f{stroke:var(--bad);stroke-width:2;stroke-dasharray:5 1}
.cal .n{stroke:var(--muted);stroke-width:1;stroke-dasharray:1 5}
.growth{box-sizing:content-box;margin-top:.2rem;border-bottom:1px solid var(--line)}
.growth polyline{fill:var(--soft);stroke:var(--muted);stroke-width:1.25}
.legend{display:flex;flex-wrap:wrap;gap:.15rem 1.25rem;color:var(--muted);font-size:.78rem}
.legend li{display:flex;align-items:center;gap:.35rem}
footer{margin-top:2rem;color:var(--muted);font-size:.85rem}
@media (max-width:77rem){
body{padding:.9rem .9rem 2rem}
.alarm{grid-template-columns:auto 1fr;gap:.1rem .6rem}
.alarm>:nth-child(n+3){grid-column:1/-1}
.alarm p>span{display:inline}
.when{text-align:left}
.when span::before{content:" ·"}
.name,.tags{max-width:none}
#rows td{white-space:normal}
thead th{position:static}
thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
table,tbody,td,tbody th{display:block}
tbody{padding:.5rem 0}
tr{display:grid;grid-template-columns:repeat(auto-fill,minmax(8.5rem,1fr));gap:.35rem .75rem}
tr+tr{margin-top:.6rem}
tr.more{display:block;margin-top:.3rem}
td,tbody th,tr.more td{padding:0 .4rem 0 0}
tbody th{grid-column:1/-1}
td::before{display:block;color:var(--muted);font-size:.75rem}
tr.more td::before{content:none!important}
${labels("#rows", COLUMNS.repositories)}${labels("#ways-table", COLUMNS.ways)}tbody.bad,tbody.warn{border-left:4px solid var(--bad);padding-left:.6rem}
tbody.warn{border-left-color:var(--warn)}
tbody>tr>:first-child{box-shadow:none!important;padding-left:0!important}
.more dl{grid-template-columns:1fr}
.more dd{margin-bottom:.3rem}
.verdict{font-size:1.15rem}
}
@media print{
:root{color-scheme:light;--paper:#fff;--soft:#f4f6f8;--ink:#000;--muted:#444;--line:#999;--bad:#a00;--bad-soft:#fff;
--warn:#6b3f00;--warn-soft:#fff;--well:#0a5a2c;--well-soft:#fff;--day:#2e8b57;--link:#000}
html{font-size:12px}
body{max-width:none;padding:0;font-size:9pt}
.alarm,tbody{break-inside:avoid}
h2{break-after:avoid}
}
`;
