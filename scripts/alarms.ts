import { alarms, type AlarmsRequest } from "../operations/alarms/alarms";
import { EXIT } from "../operations/exit-status";
import { OperatorCommand, start } from "./command";

export const command = new OperatorCommand(
  "alarms",
  "Shows by which ways alarms are sent and when something last was; or has the keeper send a test by each way, and shows " +
    "what came of it.",
  { failure: EXIT.unknown },
)
  .option("--test", "send a test by each way")
  .addHelpText("after", "\nExit status: 0 all ways work; 1 one fails; 2 it could not be found out.")
  .does((request: AlarmsRequest) => alarms(request));

if (require.main === module) void start(command);
