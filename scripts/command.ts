/** What all commands have in common: how they read their command line, say what is wrong, and end. */
import { Command, CommanderError } from "commander";
import { EXIT, UsageError } from "../operations/exit-status";
import { printableLines } from "../operations/printable";

/** @see OperatorCommand */
export interface CommandOptions {
  /** How it is started. @default "npm run NAME --" */
  start?: string;
  /** Whether it works on a stack. @default true */
  stack?: boolean;
  /** What the arguments after `--` are, unread by this command. @default there are none */
  rest?: string;
  /** The exit status when it throws. @default EXIT.failed */
  failure?: number;
}

/** The options of a command that works on a stack. */
export interface StackOptions {
  /** @default the selected one */
  stack?: string;
}

/** A command: commander's {@link Command}, which does not exit by itself. */
export class OperatorCommand extends Command {
  /** The exit status. */
  status: number = EXIT.done;
  /** The arguments after `--`; `undefined`: there was no `--`. */
  rest: string[] | undefined;

  /**
   * @param label the name of its npm script, with which its messages begin
   * @param summary what it does, for `--help`
   */
  constructor(
    readonly label: string,
    summary: string,
    readonly settings: CommandOptions = {},
  ) {
    super(settings.start ?? `npm run ${label} --`);
    this.description(summary);
    if (settings.rest !== undefined) this.usage(`[options] [-- ${settings.rest}]`);
    if (settings.stack !== false) this.option("--stack <STACK>", "the stack (default: the selected one)");
    this.exitOverride();
  }

  /** Sets what it does; `run` gets operands and options as an action of commander's, and returns the exit status. */
  does(run: (...args: never[]) => Promise<number>): this {
    return this.action(async (...args) => {
      this.status = await run(...(args as never[]));
    });
  }
}

/** Where a command's own words go. */
export interface CommandOutput {
  stdout: (text: string) => void;
  stderr: (text: string) => void;
}

const PROCESS: CommandOutput = {
  stdout: (text) => process.stdout.write(text),
  stderr: (text) => process.stderr.write(text),
};

/**
 * Runs a command. Never throws: an error is printed with the command's name and no stack trace.
 *
 * @returns the exit status, see {@link EXIT}
 */
export async function execute(
  command: OperatorCommand,
  args: readonly string[],
  output: CommandOutput = PROCESS,
): Promise<number> {
  const { label, settings } = command;
  command.configureOutput({ writeOut: output.stdout, writeErr: () => undefined });
  const split = settings.rest === undefined ? -1 : args.indexOf("--");
  command.rest = split === -1 ? undefined : args.slice(split + 1);
  const say = (text: string): void => {
    output.stderr(`${printableLines(`${label}: ${text}`)}\n`);
  };
  try {
    await command.parseAsync(split === -1 ? args : args.slice(0, split), { from: "user" });
    return command.status;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.done;
    const message = error instanceof Error ? error.message : String(error);
    if (!(error instanceof CommanderError || error instanceof UsageError)) {
      say(message);
      return settings.failure ?? EXIT.failed;
    }
    say(message.replace(/^error: /, ""));
    say(`how it is used: ${command.name()} --help`);
    return EXIT.usage;
  }
}

/** Runs a command as this process: with its command line, to its exit status. */
export async function start(command: OperatorCommand, args = process.argv.slice(2)): Promise<void> {
  process.exitCode = await execute(command, args);
}
