/** What was raised and what is still to be sent, `.status/outbox.json`. Times are milliseconds since 1970. */
import { z } from "zod";
import { alarmSchema } from "../status/schema";

const time = z.number().int();

export const transitionSchema = z.object({
  what: z.enum(["raised", "cleared"]),
  at: time.meta({ description: "when a round saw it" }),
  alarm: alarmSchema,
});
/** What is sent of an alarm: that it is there, or that it is gone. */
export type Transition = z.infer<typeof transitionSchema>;

const way = z.object({
  /** In the order of time. */
  pending: z.array(transitionSchema),
  /** How many transitions before those are not kept any more. */
  leftOut: z.number().int().min(0).optional(),
  /** When something was last sent. */
  sent: time.optional(),
  failingSince: time.optional(),
  error: z.string().optional(),
  /** The last test, and when the owner asked for it. */
  test: z.object({ at: time, ok: z.boolean(), detail: z.string() }).optional(),
  /** The day of the last daily summary, `YYYY-MM-DD`. */
  digest: z.string().optional(),
});
/** What one way has still to send. */
export type WayOutbox = z.infer<typeof way>;

export const outboxSchema = z.object({
  version: z.literal(1),
  /** When it was made: the newest counts. */
  at: time,
  /** The alarms that were raised and not cleared, by their IDs. */
  raised: z.record(z.string(), alarmSchema),
  /** By the names of the ways. */
  ways: z.record(z.string(), way),
});
/** The whole document. */
export type Outbox = z.infer<typeof outboxSchema>;
