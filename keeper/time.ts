/** Units of time, in milliseconds. */
export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** The last time that a Date can hold, in milliseconds since 1970; the first is as long before. */
export const LAST_TIME = 8.64e15;

/** Whether the calendar has a time: a document may hold any number. */
export const isTime = (ms: number): boolean => Math.abs(ms) <= LAST_TIME;
