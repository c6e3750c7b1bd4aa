/** What was raised and what is still to be sent, `.status/outbox.json`. */
import type { Alarm } from "../status/schema";

/** What is told of an alarm: that it is there, or that it is gone. */
export interface Transition {
  readonly what: "raised" | "cleared";
  /** In milliseconds since 1970. */
  readonly at: number;
  readonly alarm: Alarm;
}

/** What one way has still to send. */
export interface WayOutbox {
  /** In the order of time. */
  readonly pending: readonly Transition[];
  /** When something was last sent. */
  readonly sent?: number;
  readonly failingSince?: number;
  readonly error?: string;
  /** The last test that the owner asked for. */
  readonly test?: { readonly at: number; readonly ok: boolean; readonly detail: string };
  /** The day of the last daily summary, `YYYY-MM-DD`. */
  readonly digest?: string;
}

/** The whole document. */
export interface Outbox {
  readonly version: 1;
  /** The alarms that were raised and not cleared, by their IDs. */
  readonly raised: Readonly<Record<string, Alarm>>;
  /** By the names of the ways. */
  readonly ways: Readonly<Record<string, WayOutbox>>;
}
