/** Retention: pure, and the time is an argument. */
export { afterRun, NEW_STATE } from "./after-run";
export { claimFits } from "./claims";
export { decide, mergedArrivals, unjudged } from "./decide";
export type { Decision, Observed } from "./decide";
export { isDue } from "./due";
export { describeKeep, explainChange, explainKeep } from "./explain";
export { keptBy } from "./keep";
